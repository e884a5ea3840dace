// A task that the user writes: its rules are read, its floor is counted, and it is trained on.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { eventually, withPage } from './harness.mjs'

const SORTING = readFileSync(new URL('../../assets/grammars/sorting.txt', import.meta.url), 'utf8')

test('a grammar is trained on beside its counted floor, travels in a link, and is refused with its line', async () => {
  await withPage({}, async confab => {
    const { page } = confab
    await confab.combobox('Task').selectOption('grammar')
    const rules = page.getByRole('textbox', { name: 'Grammar', exact: true })
    await rules.fill(SORTING)
    await confab.click('Step')
    await confab.untilStep(1)
    await eventually(async () => await confab.number('floor') > 0, 'its floor')
    await page.locator('.figures [title*="Counted over"]').waitFor()
    const floor = await confab.text('floor')
    await page.getByLabel('Steps', { exact: true }).fill('40')
    const first = await confab.loss()
    await confab.click('Train')
    await confab.untilStep(40)
    assert(await confab.loss() < 0.8 * first, `${first} became ${await confab.loss()}`)

    await confab.click('Share')
    await confab.untilNotice(/Link copied/)
    const link = await page.evaluate(() => navigator.clipboard.readText())
    await page.goto('about:blank')
    await page.goto(link)
    await eventually(async () => await rules.inputValue() === SORTING, 'its rules')
    await confab.click('Step')
    await eventually(async () => await confab.text('floor') === floor, 'the same floor')

    for (const [text, why] of [
      ['record = letter * 3', /line 1: .*letter/],
      ['record = "a"\nrecord = "b"', /line 2/],
      ['loop = "a" loop\nrecord = loop', /line 1.*depth/],
      ['record = "a" * 5000', /line 1/],
    ]) {
      await rules.fill(text)
      await page.getByText(why).first().waitFor()
      await confab.click('Train')
      await confab.untilNotice(/This cannot be run/)
    }
    await rules.fill(SORTING)
    await confab.click('New run', 'Step')
    await confab.untilStep(1)
  })
})
