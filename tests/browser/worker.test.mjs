// What the page knows of a task it asks the worker for, which may come late, or die.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const WORKER = '**/worker_loader.js'
/** Of the settings tuned to the task `phone`. */
const PARAMETERS = '37,440'

const untilParameters = (confab, count) =>
  eventually(async () => await confab.text('parameters') === count, `${count} parameters`, 60_000, () => confab.describe())

test('a page whose worker is late takes settings and a run', async () => {
  await withPage({ open: false }, async confab => {
    let release
    const released = new Promise(resolve => { release = resolve })
    await confab.page.context().route(WORKER, async route => { await released; await route.continue() })
    await confab.open(TINY)
    assert.equal(await confab.text('parameters'), '—')
    await confab.combobox('Task').selectOption('facts')
    await confab.combobox('Task').selectOption('phone')
    await confab.click('Train')
    release()
    await confab.untilStep(5)
    assert.match(await confab.text('parameters'), /^\d/)
  })
})

test('the task last chosen is the one whose size is shown', async () => {
  await withPage({}, async confab => {
    await untilParameters(confab, PARAMETERS)
    for (const task of ['facts', 'text', 'phone']) await confab.combobox('Task').selectOption(task)
    await untilParameters(confab, PARAMETERS)
    await confab.combobox('Task').selectOption('text')
    await eventually(async () => /text/i.test(await confab.page.locator('.problem').allInnerTexts().then(all => all.join(''))), 'what is wrong with no text')
    assert.equal(await confab.text('parameters'), '—')
  })
})

test('the worker that takes a dead one’s place is asked again', async () => {
  await withPage({ open: false }, async confab => {
    let count = 0
    await confab.page.context().route(WORKER, async route => {
      count += 1
      await (count === 1 ? route.fulfill({ contentType: 'text/javascript', body: 'postMessage("made to stop")' }) : route.continue())
    })
    await confab.open()
    await confab.untilNotice(/made to stop.*started again/)
    await untilParameters(confab, PARAMETERS)
  })
})
