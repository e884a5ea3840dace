// The benchmark that ?bench shows: that it measures and tells, not how fast.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { eventually, withPage } from './harness.mjs'

const SLOW = 300_000

test('a benchmark of the smallest size fills its table and is saved', async () => {
  await withPage({ open: false }, async confab => {
    const { page } = confab
    await page.goto(confab.url + '?bench')
    await confab.combobox('Device').selectOption('cpu')
    for (const size of ['30k', '207k']) await page.getByRole('checkbox', { name: size }).uncheck()
    assert(await confab.button('Save as JSON').isDisabled(), 'there is nothing to save yet')
    await confab.click('Run benchmark')
    const rows = page.getByRole('table', { name: 'Benchmark' }).locator('tbody tr')
    await eventually(async () => await rows.count() === 2 && await confab.text('bench-progress') === '', 'two rows',
      SLOW, async () => `${await confab.text('bench-progress')}; ${await confab.text('notice')}`)
    for (const row of await rows.all()) {
      const [parameters, device, shape, steps, floor, ...others] = await row.locator('td').allInnerTexts()
      assert(Number(parameters.replaceAll(',', '')) > 1000, parameters)
      assert.match(device, /CPU/)
      assert.match(shape, /^(32 × 64|16 × 256)$/)
      assert(Number(steps) > 0, `${steps} steps a second`)
      assert.equal(floor, '—', 'the CPU has no dispatches')
      assert.equal(others.slice(0, 4).filter(share => /^\d+%$/.test(share)).length, 4, String(others))
    }
    const [download] = await Promise.all([page.waitForEvent('download'), confab.click('Save as JSON')])
    const saved = JSON.parse(readFileSync(await download.path(), 'utf8'))
    assert.deepEqual(saved.map(row => [row.size, row.kind, row.shape.batch]), [['1.7k', 'cpu', 32], ['1.7k', 'cpu', 16]])
    assert(saved.every(row => row.time.step > 0 && row.characters_per_s > 0), JSON.stringify(saved))
  })
})

test('on WebGPU a step is told as a multiple of its dispatches', async () => {
  await withPage({ open: false }, async confab => {
    const { page } = confab
    await page.goto(confab.url + '?bench')
    await confab.combobox('Device').selectOption('webgpu')
    for (const size of ['30k', '207k']) await page.getByRole('checkbox', { name: size }).uncheck()
    await confab.click('Run benchmark')
    const rows = page.getByRole('table', { name: 'Benchmark' }).locator('tbody tr')
    await eventually(async () => await rows.count() > 0, 'a row', SLOW, () => confab.text('bench-progress'))
    const cells = await rows.first().locator('td').allInnerTexts()
    assert(Number(cells[4]) > 0, cells.join())
    await confab.click('Stop')
  })
})

test('a benchmark without a device or a size is refused, and one is stopped', async () => {
  await withPage({ open: false, gpu: false }, async confab => {
    const { page } = confab
    await page.goto(confab.url + '?bench')
    await confab.combobox('Device').selectOption('webgpu')
    await confab.click('Run benchmark')
    await confab.untilNotice(/The benchmark was not begun/)
    await confab.combobox('Device').selectOption('cpu')
    await confab.click('Run benchmark')
    await eventually(async () => /round/.test(await confab.text('bench-progress')), 'a round', SLOW)
    await confab.click('Stop')
    await eventually(async () => await confab.button('Run benchmark').isEnabled(), 'the end')
    for (const size of ['1.7k', '30k', '207k']) await page.getByRole('checkbox', { name: size }).uncheck()
    await confab.click('Run benchmark')
    await confab.untilNotice(/needs a size/)
  })
})
