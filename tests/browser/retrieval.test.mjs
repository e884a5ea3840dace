// How well a model answers, as the page tells it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

async function evaluate(confab, records) {
  await confab.tab('Evaluate').click()
  const { page } = confab
  await page.getByRole('spinbutton', { name: 'Records' }).fill(String(records))
  await confab.click('Evaluate')
  const progress = new RegExp(`^${records} of ${records} records`)
  await eventually(async () => {
    const shown = confab.output('retrieval-progress')
    return await shown.count() > 0 && progress.test(await shown.innerText())
  }, 'all records', 120_000, () => confab.describe())
}

/** The shares of a table, in percent. */
async function shares(confab, name) {
  const cells = confab.page.getByRole('table', { name }).locator('.number')
  return (await cells.allInnerTexts()).map(text => Number(text.replace('%', '')))
}

test('a model is evaluated while it trains on, and training tells in what it writes', async () => {
  const able = '&train.batch=8&model.d_model=32&model.n_heads=4&train.lr=0.005&train.steps=900'
  await withPage({ fragment: TINY.replace('&train.batch=4', '') + able }, async confab => {
    await confab.click('Train')
    await confab.untilStep(5)
    await evaluate(confab, 8)
    const digits = await shares(confab, /digits by their place/)
    assert.equal(digits.length, 10)
    assert(digits.every(share => share >= 0 && share <= 100), `${digits}`)
    const step = await confab.step()
    await confab.untilStep(step + 5)
    const [early] = await shares(confab, /Free/)

    await confab.untilStep(900, 120_000) // the last, so that what is evaluated does not hang on the clock
    await evaluate(confab, 30)
    const [late] = await shares(confab, /Free/)
    assert(early < late, `at first ${early}% of the lines had the form of one`)
    assert(late >= 50, `after 900 steps ${late}% of the lines have the form of one`)
  })
})

test('the shipped example recalls numbers that it never saw in training', async () => {
  await withPage({ device: null }, async confab => {
    await confab.untilExample()
    await evaluate(confab, 20)
    const digits = await shares(confab, /digits by their place/)
    assert(digits.reduce((sum, share) => sum + share) / 10 > 85, `${digits}`)
    const lines = await shares(confab, /digits by the place of their line/)
    assert.equal(lines.length, 2)
  })
})

test('a sweep evaluates at one temperature after another, and draws them', async () => {
  await withPage({ device: null }, async confab => {
    await confab.untilExample()
    await confab.tab('Evaluate').click()
    await confab.click('Sweep')
    const progress = confab.output('sweep-progress')
    await eventually(async () => await progress.innerText() === '7 temperatures', 'the sweep', 180_000, () => confab.describe())
    const key = await confab.text('sweep-key')
    for (const line of ['names that are listed', 'different lines after one list']) assert(key.includes(line), key)
    const points = confab.page.getByRole('img', { name: 'Answers by temperature' }).locator('circle')
    assert.equal(await points.count(), 4 * 7)
  })
})

test('facts are asked with their sentence, without it, and with a false one', async () => {
  await withPage({ fragment: 'task.kind=facts&task.facts.facts=20&model.context=224&train.batch=4&train.val_batches=1' }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await evaluate(confab, 10)
    for (const name of ['Facts trained on', 'Facts held out']) assert.equal((await shares(confab, name)).length, 5, name)
    const categories = await shares(confab, /By category/)
    assert(categories.length > 1, `${categories}`)
  })
})

test('a probe draws twenty samples and tells where their answers are from', async () => {
  await withPage({ device: null }, async confab => {
    await confab.untilExample()
    await confab.combobox('Probe').selectOption('name not on the list')
    const probe = confab.output('probe')
    await eventually(async () => /^20 samples at step 3,000/.test(await probe.innerText()), 'twenty samples', 60_000, () => confab.describe())
    const counts = (await probe.locator('td.number').allInnerTexts()).map(text => parseInt(text))
    assert.equal(counts.reduce((sum, count) => sum + count), 20)
    assert(await probe.getByRole('img', { name: 'Entropy by character' }).locator('i').count() > 10)
    const sources = (await probe.locator('td.source').allInnerTexts())
    assert(sources.every(source => ['prompt', 'made up'].includes(source)), `${sources}`)
    const prompt = await confab.page.getByRole('textbox', { name: 'Prompt' }).inputValue()
    await confab.click('Share')
    assert.equal(new URLSearchParams(confab.page.url().split('#')[1]).get('prompt'), prompt)
  })
})

test('where no answer can be counted, the page says so before anything is pressed', async () => {
  const small = '&model.n_layers=1&model.n_heads=2&model.d_model=8&model.context=32&train.batch=4'
  for (const kind of ['modular', 'text']) {
    await withPage({ fragment: `task.kind=${kind}${small}&tab=retrieval` }, async confab => {
      await confab.page.getByText(/^Evaluate counts right answers/).waitFor()
      assert.equal(await confab.button('Evaluate').count() + await confab.button('Sweep').count(), 0, kind)
      if (kind !== 'text') return
      const pairs = Array.from({ length: 12 }, (_, at) => JSON.stringify({ question: `after ${at}?`, answer: String(at + 1) }))
      await confab.page.getByRole('textbox', { name: 'Text', exact: true }).fill(pairs.join('\n'))
      await confab.button('Evaluate').waitFor()
    })
  }
})

test('outputs of records that repeat or map an input are counted', async () => {
  const small = '&model.n_layers=1&model.n_heads=2&model.d_model=8&model.context=64&train.batch=4'
  await withPage({ fragment: `task.kind=copy${small}&tab=retrieval` }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.page.getByLabel('Records', { exact: true }).fill('10')
    await confab.click('Evaluate')
    await eventually(async () => /10 of 10 records at step 1/.test(await confab.text('retrieval')), 'all records')
    assert.match(await confab.text('retrieval'), /Training records[\s\S]*Held-out records\s*right to the letter\s*0\.0%/)
  })
})

test('a sample ends where its record ends', async () => {
  await withPage({ fragment: 'task.kind=modular&model.n_layers=1&model.n_heads=2&model.d_model=8&train.batch=4' }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt', exact: true }).fill('5+8=')
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.click('Generate')
    await eventually(async () => /\d/.test(await confab.text('sample')), 'an answer')
    await confab.page.locator('.caret').waitFor({ state: 'detached' })
    assert.match(await confab.text('sample'), /^(\d{1,3}|[+=])$/)
  })
})
