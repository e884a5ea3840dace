// A link restores what was on screen; whatever else comes by a link is survived.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const clipboard = confab => confab.page.evaluate(() => navigator.clipboard.readText())

async function share(confab) {
  await confab.page.evaluate(() => navigator.clipboard.writeText(''))
  await confab.click('Share')
  await eventually(async () => await clipboard(confab) !== '', 'a link in the clipboard')
  return clipboard(confab)
}

test('a shared link round-trips', async () => {
  await withPage({}, async confab => {
    const { page } = confab
    await confab.combobox('Task').selectOption('facts')
    await confab.combobox('Preset').selectOption('30k')
    await page.getByLabel('Seed', { exact: true }).fill('42')
    await page.getByLabel('Learning rate', { exact: true }).fill('0.0025')
    await confab.settings()
    await page.getByLabel('Biases', { exact: true }).check()
    await page.getByRole('textbox', { name: 'Prompt' }).fill('{B}Where is Łódź & "x=1#2"?\n')
    await confab.tab('Probabilities').click()
    const link = await share(confab)
    assert(link.startsWith(confab.url), link)

    await page.goto('about:blank')
    await page.goto(link)
    await confab.button('Train').waitFor()
    assert.equal(await confab.combobox('Task').inputValue(), 'facts')
    assert.equal(await confab.combobox('Preset').inputValue(), '30k')
    assert.equal(await page.getByLabel('Seed', { exact: true }).inputValue(), '42')
    assert.equal(await page.getByLabel('Learning rate', { exact: true }).inputValue(), '0.0025')
    assert(await page.getByLabel('Biases', { exact: true }).isChecked())
    assert.equal(await page.getByRole('textbox', { name: 'Prompt' }).inputValue(), '{B}Where is Łódź & "x=1#2"?\n')
    assert.equal(await confab.tab('Probabilities').getAttribute('aria-selected'), 'true')
    assert.equal(await share(confab), link)
  })
})

test('a link with weights opens the trained model', async () => {
  await withPage({ fragment: `${TINY}&train.steps=60&train.warmup=5` }, async confab => {
    const { page } = confab
    await confab.click('Train')
    await confab.untilStep(60)
    await eventually(() => confab.button('Train').isVisible(), 'the end of the run')
    const [loss, accuracy] = [await confab.number('val-loss'), await confab.number('accuracy')]
    await page.evaluate(() => navigator.clipboard.writeText(''))
    await confab.file('Copy link with weights')
    await confab.untilNotice(/Link copied\. It carries the weights, rounded to 16 bits, in [\d,]+ characters/)
    const link = await clipboard(confab)

    await page.goto('about:blank')
    await page.goto(link)
    await confab.untilStep(60)
    assert(Math.abs(await confab.number('val-loss') - loss) < 0.02, 'its loss')
    assert(Math.abs(await confab.number('accuracy') - accuracy) < 5, 'its accuracy')

    await page.goto('about:blank')
    await page.goto(link.slice(0, -40))
    await confab.untilNotice(/The model of the link was not loaded: its .*weights/)

    await page.goto('about:blank')
    await page.goto(link.replace(/weights=.*/, 'model.d_model=128'))
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.file('Copy link with weights')
    await confab.untilNotice(/do not fit a link: its model has \d+ parameters/)
  })
})

const HOSTILE = {
  'an unknown task': 'task.kind=poem',
  'a number too large for any type': 'model.n_layers=99999999999999999999999',
  'a number too large to run': 'model.d_model=1000000000',
  'a negative number': 'train.batch=-1',
  'not a number': 'train.lr=NaN',
  'infinity': 'train.lr=1e999',
  'a word for a number': 'seed=seven',
  'a word for a switch': 'model.tied_head=perhaps',
  'knobs that do not fit together': 'model.n_heads=3',
  'an unknown knob': '__proto__.polluted=1',
  'markup': '<img src=x onerror=alert(1)>=1',
  'broken percent signs': '%E0%A4%A=%ff%',
  'JSON': encodeURIComponent('{"task":{"kind":"phone"},"model":null}'),
  'a megabyte of prompt': 'prompt=' + 'a'.repeat(1 << 20),
  'a megabyte of nothing in particular': 'x'.repeat(1 << 20),
  'a hundred thousand knobs': 'seed=1&'.repeat(100_000),
}

test('hostile links give a notice and the defaults', async () => {
  await withPage({ open: false }, async confab => {
    confab.page.on('dialog', dialog => { confab.errors.push(`a dialog: ${dialog.message()}`); dialog.dismiss() })
    for (const [what, fragment] of Object.entries(HOSTILE)) {
      await confab.open(fragment, null)
      await eventually(async () => /link/i.test(await confab.text('notice')), `a notice for ${what}`, 20_000, () => confab.describe())
      assert.equal(await confab.combobox('Task').inputValue(), 'phone', what)
      assert.equal(await confab.page.getByLabel('Layers', { exact: true }).inputValue(), '2', what)
      assert.equal(await confab.page.evaluate(() => ({}).polluted), undefined, what)
    }
    await confab.combobox('Device').selectOption('cpu')
    await confab.click('Step')
    await confab.untilStep(1)
  })
})

test('a hostile link opened on a living page leaves it alive', async () => {
  await withPage({}, async confab => {
    await confab.page.evaluate(() => { location.hash = 'model.d_model=-5' })
    await confab.untilNotice(/link/i)
    await confab.click('Step')
    await confab.untilStep(1)
  })
})

test('a link whose prompt the model cannot read is said so', async () => {
  await withPage({ fragment: 'prompt=' + encodeURIComponent('日本語 🙂') }, async confab => {
    await confab.click('Step')
    await confab.untilNotice(/日|character/)
    await confab.untilStep(1)
  })
})

test('a link of the gallery opens its trained model, and training starts anew from its settings', async () => {
  await withPage({}, async confab => {
    await confab.view('Learn')
    const links = confab.page.getByRole('region', { name: 'Gallery' }).getByRole('link')
    await eventually(async () => await links.count() >= 8, 'the list of the session')
    await links.filter({ hasText: 'Induction heads' }).click()
    await eventually(async () => await confab.combobox('Task').inputValue() === 'induction', 'the task')
    assert.equal(await confab.tab('Circuits').getAttribute('aria-selected'), 'true')
    await eventually(async () => await confab.text('look-step') === 'step 1,500', 'its heads, trained')
    await confab.page.getByRole('heading', { name: /What heads look for/ }).waitFor()
    await confab.combobox('Device').selectOption('cpu')
    await confab.click('New run')
    await confab.click('Step')
    await confab.untilStep(1)
  })
})

test('a tab that is open shows an analysis after any link to it', async () => {
  await withPage({ fragment: 'tab=circuits&look=composition' }, async confab => {
    const analysis = confab.combobox('Analysis')
    await eventually(async () => await analysis.inputValue() === 'composition', 'the analysis of the link')
    await confab.click('Step')
    await confab.page.getByRole('heading', { name: 'Q-composition' }).waitFor()
    for (const look of ['', '&look=nothing', '&look=lens']) {
      await confab.page.evaluate(hash => { location.hash = hash }, `tab=circuits&look=composition&seed=${look.length}`)
      await eventually(async () => await analysis.inputValue() === 'composition', 'the analysis of a link')
      await confab.page.evaluate(hash => { location.hash = hash }, `tab=circuits${look}&seed=${look.length}`)
      await eventually(async () => await analysis.inputValue() === 'heads', `the first analysis after “${look}”`)
      await confab.page.getByRole('heading', { name: /What heads look for/ }).waitFor()
    }
    await confab.untilNotice(/`nothing` is not one that Confab knows/)
  })
})
