// The report of a run: one file, which needs nothing else.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CONFAB, TINY, eventually, readCheckpoint, withPage } from './harness.mjs'

test('a report holds losses, answers, attention, settings, and commands that train the same run', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  t.after(() => rmSync(folder, { recursive: true }))
  await withPage({ fragment: TINY + '&train.steps=4' }, async confab => {
    const { page } = confab
    await confab.file('Save report')
    await confab.untilNotice(/not saved: there is no model yet/)
    await confab.click('Train')
    await confab.untilStep(4)
    await confab.click('Generate')
    await eventually(async () => (await confab.text('sample')).length > 3, 'a sample')
    await page.getByRole('group', { name: 'Small multiples' }).waitFor()
    const download = page.waitForEvent('download')
    await confab.file('Save report')
    assert.match((await download).suggestedFilename(), /^phone-4-report\.html$/)
    const html = readFileSync(await (await download).path(), 'utf8')

    const report = await page.context().newPage()
    const asked = []
    report.on('request', request => { if (!request.url().startsWith('data:')) asked.push(request.url()) })
    await report.setContent(html)
    assert.deepEqual(asked, [], 'it asks for nothing')
    for (const name of ['Loss', 'Answers', 'Sample', 'Attention', 'Train it again', 'Settings']) {
      await report.getByRole('heading', { name, exact: true }).waitFor()
    }
    assert((await report.locator('.heads img').count()) > 1)
    assert((await report.locator('svg').count()) >= 2, 'the losses, and a head')
    const loss = await report.getByRole('row', { name: /^Training loss/ }).getByRole('cell').innerText()
    assert.equal(loss, await confab.text('train-loss'))

    const [, link] = (await report.getByText(/^confab train/).innerText()).match(/--link '([^']+)'/)
    const out = join(folder, 'run.safetensors')
    execFileSync(CONFAB, ['train', '--device', 'cpu', '--link', link, '--out', out], { stdio: 'pipe' })
    const history = JSON.parse(readCheckpoint(readFileSync(out)).metadata['confab.history'])
    assert(Math.abs(history.at(-1).train_loss - Number(loss)) < 2e-4, `${history.at(-1).train_loss}, ${loss}`)
  })
})
