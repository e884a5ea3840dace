// Compare: every run in a table, kept from visit to visit.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const table = confab => confab.page.getByRole('region', { name: 'Compare runs' })
const rows = confab => table(confab).locator('tbody tr')
const row = (confab, name) => rows(confab).filter({ has: confab.page.getByRole('textbox', { name: `Name of ${name}`, exact: true }) })
const legend = async confab => (await confab.page.getByRole('region', { name: 'Loss' }).locator('svg').first().innerHTML()).match(/phone [^<]*#\d|first try/g) ?? []

/** Trains a run of a few steps, and waits until it is kept. */
async function train(confab, steps, settings = '') {
  await confab.page.evaluate(hash => { location.hash = hash }, `${TINY}&train.steps=${steps}${settings}`)
  await confab.click('New run')
  await confab.click('Train')
  await confab.untilStep(steps)
  await confab.page.getByText(`autosaved at step ${steps}`).waitFor()
}

test('runs are compared, named, hidden, opened again after a reload, and deleted', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { page } = confab
    await train(confab, 12)
    await train(confab, 6, '&train.lr=0.002')
    await confab.view('Compare')
    const names = () => rows(confab).getByRole('textbox').evaluateAll(all => all.map(box => box.value))
    await eventually(async () => (await names()).length === 2, 'two rows', 10_000, async () => `${await names()}`)
    const [first, second] = await names()
    assert.match(await row(confab, first).innerText(), /Steps 6 → 12.*Learning rate 0\.002 → |Learning rate 0\.002 → .*Steps 6 → 12/)
    assert.match(await row(confab, second).innerText(), /on show/)
    for (const cell of await row(confab, first).locator('.number').allInnerTexts()) assert.match(cell, /^\d/)

    // A curve is hidden and shown.
    await eventually(async () => (await legend(confab)).length === 2, 'two curves')
    await page.getByRole('checkbox', { name: `Show the curve of ${first}` }).uncheck()
    await eventually(async () => (await legend(confab)).length === 1, 'one curve')
    await page.getByRole('checkbox', { name: `Show the curve of ${first}` }).check()

    // Named, sorted and filtered.
    const name = page.getByRole('textbox', { name: `Name of ${first}` })
    await name.fill('first try')
    await name.press('Enter')
    await eventually(async () => (await legend(confab)).includes('first try'), 'its name in the chart')
    await table(confab).getByRole('button', { name: 'Steps' }).click()
    await eventually(async () => (await names()).join() === `${second},first try`, 'fewest steps first')
    await table(confab).getByRole('button', { name: 'Steps' }).click()
    await eventually(async () => (await names()).join() === `first try,${second}`, 'most steps first')
    // By a setting that sets them apart: each value heads its runs, with their means.
    await table(confab).getByLabel('Group by').selectOption('Learning rate')
    const group = at => rows(confab).filter({ hasText: /^Learning rate / }).nth(at).innerText()
    await eventually(async () => await rows(confab).count() === 4, 'a row above each run')
    assert.match(await group(0), /^Learning rate 0\.002\s+1 run\s+\d/)
    await table(confab).getByLabel('Group by').selectOption('nothing')
    await eventually(async () => await rows(confab).count() === 2, 'the runs alone')
    await table(confab).getByLabel('Filter').fill('TRY')
    await eventually(async () => (await names()).join() === 'first try', 'the row of that name')

    // After a reload both are there, and the first goes on.
    await confab.open(TINY)
    await confab.view('Compare')
    await eventually(async () => (await names()).length === 2, 'both are kept')
    await row(confab, 'first try').getByRole('button', { name: 'Open' }).click()
    await page.getByRole('button', { name: /^first try, step 12/ }).waitFor()
    assert(await confab.loss() > 0)
    await row(confab, second).getByRole('button', { name: 'Delete' }).click()
    await row(confab, second).getByRole('button', { name: 'Delete for good' }).click()
    await eventually(async () => (await names()).join() === 'first try', 'one row')
    await confab.open(TINY)
    await confab.view('Compare')
    await eventually(async () => (await names()).join() === 'first try', 'it stays deleted')
  })
})

test('where there is no more room the oldest run goes, and it is said', async () => {
  // A browser that is full once two runs are there.
  const worker = `
    const write = FileSystemFileHandle.prototype.createWritable
    FileSystemFileHandle.prototype.createWritable = async function () {
      const folder = await (await navigator.storage.getDirectory()).getDirectoryHandle('runs')
      const runs = new Set()
      for await (const [name, handle] of folder) if ((await handle.getFile()).size) runs.add(name.split('-')[0])
      runs.delete(this.name.split('-')[0])
      if (runs.size >= 2) throw new DOMException('no space', 'QuotaExceededError')
      return write.call(this)
    };`
  await withPage({ fragment: TINY, worker }, async confab => {
    await train(confab, 5)
    await train(confab, 6)
    await train(confab, 7)
    await confab.untilNotice(/no more room.*no longer keeps phone .*#1/)
    await confab.open(TINY)
    await confab.view('Compare')
    await eventually(async () => await rows(confab).count() === 2, 'the two newest')
  })
})
