// The settings of a run: few in sight, all to be found.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually, withPage } from './harness.mjs'

const panel = confab => confab.page.getByRole('region', { name: 'Experiment' })
const setting = (confab, name) => panel(confab).getByLabel(name, { exact: true })

test('few settings are in sight, and all are found by what they do', async () => {
  await withPage({}, async confab => {
    const inSight = panel(confab).locator('input, select, textarea').filter({ visible: true })
    assert.deepEqual(await inSight.evaluateAll(all => all.map(one => one.labels[0].innerText)),
      ['Task', 'Preset', 'Steps', 'Learning rate', 'Seed', 'Device'])
    await panel(confab).getByText('All settings').click()
    for (const group of ['Data', 'Architecture', 'Optimizer', 'Memory', 'Noise']) {
      assert(await panel(confab).getByRole('group', { name: group }).isVisible(), group)
    }
    await setting(confab, 'Search settings').fill('first moment')
    await eventually(async () => await setting(confab, 'Adam β₁').isVisible(), 'a setting, by its help')
    assert.equal(await setting(confab, 'Batch size').isVisible(), false)
    assert.equal(await panel(confab).getByRole('group', { name: 'Noise' }).isVisible(), false)
  })
})

test('what changes nothing is hidden, and what was changed is told', async () => {
  await withPage({ fragment: 'model.positions=learned' }, async confab => {
    await confab.settings()
    assert.equal(await setting(confab, 'RoPE base').isVisible(), false)
    await setting(confab, 'Position encoding').selectOption('rotary')
    await eventually(() => setting(confab, 'RoPE base').isVisible(), 'the base of rotary positions')
    assert.equal(await setting(confab, 'Slots').isVisible(), false)
    await setting(confab, 'Memory').selectOption('featural')
    await eventually(() => setting(confab, 'Slots').isVisible(), 'the slots of a memory')
    await confab.combobox('Preset').selectOption('30k')
    await setting(confab, 'Dropout').fill('0.25')
    await panel(confab).getByText('All settings (1 changed)').waitFor()
    await setting(confab, 'Changed only').check()
    await eventually(async () => !await setting(confab, 'Heads').isVisible(), 'only what was changed')
    assert(await setting(confab, 'Dropout').isVisible())
  })
})

test('numbers are taken as people write them, and refused by their name', async () => {
  await withPage({}, async confab => {
    for (const [typed, value] of [['5,000', '5000'], ['1e3', '1000'], ['12 000', '12000'], ['2_500', '2500']]) {
      await setting(confab, 'Steps').fill('')
      await setting(confab, 'Steps').pressSequentially(typed)
      assert.equal(await setting(confab, 'Steps').inputValue(), typed, 'it stays as it is typed')
      await setting(confab, 'Steps').press('Tab')
      await eventually(async () => await setting(confab, 'Steps').inputValue() === value, `${typed} as ${value}`)
    }
    await setting(confab, 'Learning rate').fill('')
    await setting(confab, 'Learning rate').pressSequentially('0.0525')
    await setting(confab, 'Learning rate').press('Tab')
    assert.equal(await setting(confab, 'Learning rate').inputValue(), '0.0525')
    await setting(confab, 'Steps').fill('1,5')
    await panel(confab).getByText(/Steps.*1,5/).waitFor()
    // A setting out of sight that cannot be is shown.
    await confab.open('task.phone.lines=1&task.phone.names=8&model.context=96')
    assert.equal(await setting(confab, 'Context').isVisible(), false)
    await confab.combobox('Task').selectOption('facts')
    await eventually(() => setting(confab, 'Context').isVisible(), 'the setting that does not fit')
    await panel(confab).getByText(/Context.* 96/).first().waitFor()
  })
})

test('mixers are chosen for all layers or by layer, and what names no layer is told', async () => {
  await withPage({}, async confab => {
    await confab.settings()
    const mixer = setting(confab, 'Mixer')
    const byLayer = setting(confab, 'Mixer by layer')
    assert.equal(await byLayer.isVisible(), false)
    await mixer.selectOption('by layer')
    assert.equal(await byLayer.inputValue(), '0:softmax,1:softmax')
    await byLayer.fill('0:linear,5:softmax')
    await panel(confab).getByText(/Mixer .* names layer 5, but the model has layers 0 to 1/).waitFor()
    await byLayer.fill('1:linear')
    await setting(confab, 'Steps').fill('3')
    await confab.click('Train')
    await confab.untilStep(3)
    const saved = await confab.saveCheckpoint()
    assert.equal(JSON.parse(saved.metadata['confab.config']).model.mixer, '1:linear')
    await mixer.selectOption('linear')
    assert.equal(await byLayer.isVisible(), false)
  })
})
