// The noise codec in the page: trained live, looked into, kept, shared.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, readCheckpoint, withPage } from './harness.mjs'

/** A run of seconds. */
const CODEC = 'learner=codec&task.kind=spacing&task.words.min_letters=16&task.words.max_letters=24' +
  '&train.records=200&train.batch=20&train.steps=60&train.val_every=10&train.val_batches=2'

const heading = (confab, name) => confab.page.getByRole('heading', { name })
const cells = (confab, row) => confab.page.locator('#panel-codec table tr').nth(row).locator('td, th').allInnerTexts()

test('the codec trains live, and a mistake is traced to the record that it was borrowed from', async () => {
  await withPage({ fragment: CODEC + '&tab=codec&look=codec-progress' }, async confab => {
    await confab.page.getByRole('region', { name: 'Link' }).getByText(/Train makes the model anew, in 60 steps/).waitFor()
    await confab.click('Train')
    await confab.untilStep(60)
    assert.equal(await confab.number('train-loss'), 0, 'no token of a training record is wrong')
    assert(await confab.number('val-loss') < 0.1, 'few tokens of held-out records are')
    await heading(confab, 'Share of tokens wrong').waitFor()
    await heading(confab, 'What is right').waitFor()
    assert.equal(await confab.page.getByLabel('Learning rate', { exact: true }).isVisible(), false, 'it has no effect')
    await heading(confab, 'Windows used').waitFor()

    const analysis = confab.combobox('Analysis')
    await analysis.selectOption('codec-mistake')
    await heading(confab, 'A mistake').waitFor()
    const mistake = await cells(confab, 1)
    assert.notEqual(mistake[1], mistake[2], 'it becomes something else than it should')
    assert.match(mistake[7], /^#\d+: .*\[.\].* → /)

    await analysis.selectOption('codec-written')
    await heading(confab, 'What is written').waitFor()
    await analysis.selectOption('codec-digits')
    await heading(confab, /^Noise 1 of/).waitFor()
    await analysis.selectOption('codec-keys')
    await heading(confab, 'Keys and noise').waitFor()
    await analysis.selectOption('codec-chain')
    await eventually(async () => /train one with Chain/.test(await confab.text('look-problem')), 'why there is no chain')

    // What is for transformers alone says so.
    await confab.tab('Circuits').click()
    await eventually(async () => /noise codec/.test(await confab.text('look-problem')), 'why there are no circuits')

    await confab.tab('Evaluate').click()
    await confab.click('Evaluate')
    await eventually(async () => /100 of 100 records at step 60/.test(await confab.text('retrieval')), 'all records')
    assert.match(await confab.text('retrieval'), /Training records\s*right to the letter\s*100\.0%/)
  })
})

test('a codec is kept, goes on, is saved and opened, and writes for a prompt', async () => {
  await withPage({ fragment: CODEC }, async confab => {
    await confab.click('Train')
    await confab.untilStep(60)
    const saved = await confab.saveCheckpoint()
    assert.match(saved.name, /^confab-spacing-codec-step60/)
    assert('codec.keys' in saved.tensors)

    await confab.page.getByLabel('Steps', { exact: true }).fill('70')
    await confab.click('Train')
    await confab.untilStep(70)
    await confab.page.getByText('autosaved at step 70').waitFor()
    await confab.page.reload()
    await confab.click('Resume')
    await confab.untilStep(70)

    await confab.loadCheckpoint(saved.path)
    await eventually(async () => await confab.step() === 60, 'the run of the file')
    const prompt = confab.page.getByRole('textbox', { name: 'Prompt' })
    const letters = await prompt.inputValue()
    await confab.click('Generate')
    const sample = confab.output('sample')
    await eventually(async () => (await sample.innerText()).includes(letters[0]), 'what is written')
    // The same file, cut off.
    await confab.loadCheckpoint({ name: 'cut.safetensors', mimeType: '', buffer: saved.bytes.subarray(0, saved.bytes.length - 100) })
    await confab.untilNotice(/not loaded/)
    assert.equal(await confab.step(), 60)
    assert.equal(readCheckpoint(saved.bytes).metadata['confab.step'], '60')

    await prompt.fill('🦑')
    await confab.click('Generate')
    await confab.untilNotice(/🦑/)
  })
})

test('a codec and a transformer share a chart of their accuracies, by records and by seconds', async () => {
  await withPage({ fragment: CODEC }, async confab => {
    await confab.click('Train')
    await confab.untilStep(60)
    // The likeliest outputs of held-out records are the level of the codec's losses.
    const chart = confab.page.getByRole('img', { name: /thick lines validation/ })
    const legend = async () => (await chart.locator('text').allTextContents()).join('\n')
    assert.match(await legend(), /spacing codec.*\n[^]*Likeliest outputs/)
    assert(await confab.number('floor') < await confab.number('val-loss'), 'no better than the best')

    await confab.page.getByText(/^All settings/).click()
    await confab.combobox('Learner').selectOption('gpt')
    await confab.page.getByLabel('Steps', { exact: true }).fill('12')
    await confab.page.getByLabel('Validate every', { exact: true }).fill('4')
    await confab.click('Train')
    const changed = confab.page.getByRole('dialog', { name: 'The settings have changed' })
    await changed.getByText('Learner codec → gpt').waitFor()
    assert.equal(await changed.getByRole('button', { name: 'Go on with these weights' }).isVisible(), false)
    await changed.getByRole('button', { name: 'New run' }).click()
    await eventually(async () => await confab.step() === 12, 'the transformer, trained')
    const others = confab.page.getByText('for its task or learner is another: 1')
    await others.waitFor()
    assert.doesNotMatch(await legend(), /spacing codec/)
    await confab.combobox('Show').selectOption('Accuracy')
    await others.waitFor({ state: 'hidden' })
    for (const axis of ['records seen', 'seconds of training']) {
      await confab.combobox('Against').selectOption(axis)
      await eventually(async () => {
        const told = await legend()
        return /spacing codec #1/.test(told) && /spacing [^c].*#2/.test(told) && /likeliest outputs/.test(told) && told.includes(axis)
      }, `both runs by ${axis}`)
    }
    // Each has a curve, in its own colour, and the codec's is above.
    const curves = await chart.locator('polyline, path').evaluateAll(all => all.length)
    assert(curves >= 3, `${curves} lines`)
  })
})
