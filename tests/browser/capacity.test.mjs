// Sweeps: how many facts models of each size recall, and what is read through noise.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CONFAB, TINY, eventually, withPage } from './harness.mjs'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const FAST = 'train.batch=4&train.val_batches=1'

async function plan(confab, facts, steps, seeds) {
  const { page } = confab
  await confab.tab('Scaling sweep').click()
  await page.getByRole('checkbox', { name: '30k' }).uncheck()
  await page.getByRole('textbox', { name: 'Facts to sweep' }).fill(facts)
  await page.getByRole('textbox', { name: 'Steps of a run' }).fill(String(steps))
  await page.getByRole('textbox', { name: 'Seeds' }).fill(String(seeds))
}

const diagram = confab => confab.page.getByRole('table', { name: 'Recall by size and facts' })
const hasEnded = confab => eventually(
  async () => await confab.output('sweep-runs').count() === 0 && await diagram(confab).count() > 0,
  'the end of the sweep', 180_000, () => confab.describe())

test('a sweep is run in the page, kept, gone on with and saved', async () => {
  await withPage({ fragment: FAST }, async confab => {
    const { page } = confab
    await plan(confab, '10, 20', 4, 2)
    await confab.click('Run sweep')
    await hasEnded(confab)
    assert.equal(await diagram(confab).locator('tbody tr').count(), 1)
    assert.equal(await diagram(confab).locator('tbody td').count(), 2)
    const curves = page.getByRole('img', { name: 'Recall and bits stored by facts' })
    assert.equal(await curves.locator('circle').count(), 2 * 2)

    await page.reload()
    await confab.tab('Scaling sweep').click()
    await diagram(confab).waitFor()
    assert.equal(await diagram(confab).locator('tbody td').count(), 2, 'outcomes are there after a reload')
    await plan(confab, '10', 4, 2)
    await confab.click('Run sweep')
    await confab.untilNotice(/have outcomes already/)

    const [download] = await Promise.all([page.waitForEvent('download'), confab.click('Save outcomes')])
    const lines = readFileSync(await download.path(), 'utf8').trim().split('\n').map(line => JSON.parse(line))
    assert.deepEqual(lines.map(line => `${line.facts} ${line.seed}`).sort(), ['10 1', '10 2', '20 1', '20 2'])

    await confab.click('Clear')
    assert.equal(await diagram(confab).count(), 0)
  })
})

test('a sweep trains a run a core, and has the outcomes of one core, also after one that was stopped', async () => {
  await withPage({ fragment: FAST, cores: 4 }, async confab => {
    const begin = async cores => {
      await confab.settings()
      await confab.combobox('Cores').selectOption(cores)
      await plan(confab, '10, 20', 150, 4)
      await confab.click('Run sweep')
    }
    /** Runs at once; 0 when the sweep is over. */
    const atOnce = async () => {
      const progress = (await confab.output('sweep-runs').allInnerTexts()).join()
      const [, first, last] = /Runs (\d+) to (\d+) of 8/.exec(progress) ?? [0, 1, 1]
      return progress === '' ? 0 : last - first + 1
    }
    const sweep = async cores => {
      await begin(cores)
      let [most, now] = [0, 0]
      await eventually(async () => {
        now = await atOnce()
        most = Math.max(most, now)
        return now === 0 && await diagram(confab).count() > 0
      }, 'the end of the sweep', 180_000, () => confab.describe())
      const [download] = await Promise.all([confab.page.waitForEvent('download'), confab.click('Save outcomes')])
      const lines = readFileSync(await download.path(), 'utf8').trim().split('\n').sort()
      assert.equal(lines.length, 8)
      await confab.click('Clear')
      return [lines, most]
    }
    const [alone, one] = await sweep('1')
    assert.equal(one, 1)
    await begin('4')
    await eventually(async () => await atOnce() > 1, 'runs at once', 60_000, () => confab.describe())
    await confab.click('Stop sweep')
    await eventually(async () => await atOnce() === 0, 'the sweep has stopped')
    if (await confab.button('Clear').isEnabled()) await confab.click('Clear')
    const [together, several] = await sweep('4')
    assert.deepEqual(together, alone)
    assert(several > 1, 'runs at once')
  })
})

test('a sweep is stopped and a wrong plan is refused', async () => {
  await withPage({ fragment: FAST }, async confab => {
    await plan(confab, '10, nine', 4, 1)
    await confab.click('Run sweep')
    await confab.untilNotice(/nine/)
    await plan(confab, '10, 5000', 1_000_000, 1)
    await confab.click('Run sweep')
    await eventually(async () => /Runs? 1 (to 2 )?of 2: .* step [1-9]/.test(await confab.text('sweep-runs')), 'a step', 60_000, () => confab.describe())
    await confab.click('Stop sweep')
    await eventually(async () => await confab.output('sweep-runs').count() === 0, 'the sweep has stopped')
    assert(await confab.button('Run sweep').isEnabled())
  })
})

test('the outcomes of the terminal are shown, and lead to their settings', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  const out = join(folder, 'sweep.jsonl')
  const args = ['--facts', '10,20', '--preset', '1.7k,30k', '--seeds', '1', '--steps', '2', '--batch', '4', '--val-batches', '1']
  execFileSync(CONFAB, ['sweep', ...args, '--device', 'cpu', '--out', out])
  await withPage({ device: null }, async confab => {
    const { page } = confab
    await confab.tab('Scaling sweep').click()
    await page.getByLabel('Outcomes file').setInputFiles(out)
    await diagram(confab).waitFor()
    assert.equal(await diagram(confab).locator('tbody tr').count(), 2)
    await diagram(confab).getByRole('link').last().click()
    await eventually(async () => await confab.combobox('Task').inputValue() === 'facts', 'the settings of a run')
    await confab.settings()
    assert.equal(await page.getByRole('textbox', { name: 'Facts', exact: true }).inputValue(), '20')

    const broken = join(folder, 'broken.jsonl')
    writeFileSync(broken, readFileSync(out, 'utf8') + '{"facts": 1}\n')
    await page.getByLabel('Outcomes file').setInputFiles(broken)
    await confab.untilNotice(/line 5/)
  })
})

test('noise is shown on a record, and training goes through it', async () => {
  await withPage({ fragment: TINY + '&noise.double=1' }, async confab => {
    await confab.settings()
    const preview = confab.page.getByLabel('Noise preview')
    assert.match(await preview.innerText(), /^\{BB\}\}/)
    await confab.page.getByRole('textbox', { name: 'Forget' }).fill('1')
    await eventually(async () => (await preview.innerText()).includes('·'), 'what is forgotten')
    await confab.click('Train')
    await confab.untilStep(10)
    assert(Number(await confab.text('val-loss')) > 0)
  })
})

test('a model that may abstain is asked for names that no line has', async () => {
  await withPage({ fragment: TINY + '&task.phone.unknown=0.5' }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.tab('Evaluate').click()
    await confab.page.getByRole('spinbutton', { name: 'Records' }).fill('3')
    await confab.click('Evaluate')
    await confab.page.getByRole('table', { name: /Abstaining/ }).waitFor()
    const { floor } = JSON.parse(execFileSync(CONFAB, ['floor', '--lines', '1', '--names', '8', '--unknown', '0.5', '--json']).toString().replace('nats_per_char', 'floor'))
    assert.equal(Number(await confab.text('floor')).toFixed(2), floor.toFixed(2))
  })
})
