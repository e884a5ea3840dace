// The entropy floor, as the page shows it: on the chart, by field, under each character.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { test } from 'node:test'
import { promisify } from 'node:util'
import { CONFAB, TINY, eventually, withPage } from './harness.mjs'

/** What the terminal says of the same task. */
async function floorAtTerminal(fragment) {
  const { stdout } = await promisify(execFile)(CONFAB, ['floor', '--link', '#' + fragment, '--json'])
  return JSON.parse(stdout)
}

/** The table Loss by part, by field: floor, training, validation, excess. */
async function readFields(confab) {
  await confab.output('fields').locator('tbody tr').first().waitFor()
  const rows = await confab.output('fields').locator('tbody tr').all()
  const entries = rows.map(async row => {
    const [floor, train, val, excess] = (await row.locator('td').allInnerTexts()).map(Number)
    return [await row.locator('th').innerText(), { floor, train, val, excess }]
  })
  return Object.fromEntries(await Promise.all(entries))
}

test('the floor is the terminal\'s, in all and by field', async () => {
  const expected = await floorAtTerminal(TINY)
  await withPage({ fragment: TINY }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await eventually(async () => Math.abs(await confab.number('floor') - expected.nats_per_char) < 1e-4, 'the floor')
    const fields = await readFields(confab)
    for (const { field, chars, nats } of expected.fields) {
      assert(Math.abs(fields[field].floor - nats / chars) < 1e-3, `${field}: ${fields[field].floor}`)
    }
    assert.equal(fields.marker.floor, 0)
    await confab.page.getByRole('img', { name: /Loss by step/ }).getByText('best possible').waitFor()
  })
})

test('the excess is what validation pays over the floor, in bits, and falls', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    const first = await readFields(confab)
    await confab.click('Train')
    await confab.untilStep(60)
    await confab.click('Pause')
    const last = await readFields(confab)
    for (const [field, { floor, val, excess }] of Object.entries(last)) {
      assert(Math.abs(excess - (val - floor) / Math.LN2) < 3e-3, `${field}: ${excess}`)
    }
    assert(last.separator.excess < 0.8 * first.separator.excess, JSON.stringify({ first, last }))
  })
})

test('each character of a prompt shows its cost beside its floor', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt' }).fill('{B}\nZ')
    await confab.click('Step')
    await confab.tab('Probabilities').click()
    const given = confab.page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option')
    await eventually(async () => await given.count() === 5, 'the prompt\'s characters')
    const titles = await Promise.all((await given.all()).map(chip => chip.getAttribute('title')))
    for (const title of titles.slice(0, 3)) assert.match(title, /; 0\.00 unavoidable/)
    assert.match(titles[3], /never written/, 'none of the eight names begins with Z')
    assert.equal(titles[4], null, 'what is to come has no cost yet')
  })
})

test('a plain text has the loss of counted 5-grams in place of a floor', async () => {
  await withPage({ fragment: 'task.kind=text&model.context=16&train.batch=2&train.val_batches=1' }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Text', exact: true }).fill('round and round '.repeat(40))
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.page.getByRole('region', { name: 'Loss' }).getByText('5-grams').first().waitFor()
    const baseline = await confab.number('floor')
    assert(baseline > 0 && baseline < 0.2, `${baseline}`)
  })
})
