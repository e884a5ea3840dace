// How well a model answers, as the page tells it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

async function evaluate(confab, records) {
  await confab.tab('Retrieval').click()
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
  const able = '&train.batch=8&model.d_model=32&model.n_heads=4&train.lr=0.005&train.steps=100000'
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

    await confab.untilStep(300, 120_000)
    await evaluate(confab, 8)
    const [late] = await shares(confab, /Free/)
    assert.equal(early, 0, 'at first no line has the form of one')
    assert(late >= 50, `after 300 steps ${late}% of the lines have the form of one`)
  })
})

test('the shipped example answers questions', async () => {
  await withPage({ device: null }, async confab => {
    await confab.output('example').waitFor()
    await evaluate(confab, 30)
    assert.equal((await shares(confab, 'Facts trained on')).length, 4)
    const categories = await shares(confab, /By category/)
    assert(categories.length > 3, `${categories}`)
  })
})

test('a text has no right answers, which is said', async () => {
  await withPage({ fragment: 'task.kind=text&model.context=16&train.batch=2&train.val_batches=1' }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Text', exact: true }).fill('round and round '.repeat(40))
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.tab('Retrieval').click()
    await confab.click('Evaluate')
    await confab.untilNotice(/only the tasks phone and facts/)
  })
})
