// Train, Pause, Step and New run, on the CPU.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, pause, withPage } from './harness.mjs'

test('paints before the worker has loaded', async () => {
  await withPage({ open: false }, async confab => {
    await confab.page.context().route('**/worker_loader.js', () => {}) // never answered
    await confab.open('', null)
    for (const name of ['Train', 'Step', 'New run', 'Share', 'Files', 'Generate']) {
      assert(await confab.button(name).isVisible(), `${name} is not on the page`)
    }
    assert.equal(await confab.combobox('Task').inputValue(), 'phone')
  })
})

test('shows a trained example at once', async () => {
  await withPage({ device: null }, async confab => {
    await confab.untilExample()
    await eventually(async () => await confab.loss() < 3, 'the loss of a trained model')
    await confab.page.getByRole('tabpanel').getByText('L0H0').first().waitFor()

    await confab.model('Copy these settings')
    await confab.settings()
    assert.equal(await confab.page.getByRole('textbox', { name: 'Width (d_model)', exact: true }).inputValue(), '64')
    assert.equal(await confab.combobox('Preset').inputValue(), '', 'it is of no preset')
  })
})

test('trains on the CPU, and the loss falls', async () => {
  await withPage({ fragment: `${TINY}&train.warmup=10` }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.untilDevice(/^CPU/)
    const first = await confab.loss()
    await confab.click('Train')
    await confab.untilStep(150)
    const last = await confab.loss()
    assert(first > 3.5, `an untrained model should know next to nothing, but its loss was ${first}`)
    assert(last < 0.8 * first, `the loss went from ${first} to ${last}`)
    assert(await confab.number('val-loss') < first)
    assert.match(await confab.text('accuracy'), /^\d+\.\d%$/)
    assert((await confab.text('steps-per-s')).match(/[1-9]/), 'no speed is shown')
  })
})

test('Pause stops and Train goes on', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await confab.click('Train')
    await confab.untilStep(5)
    await confab.click('Pause')
    await eventually(() => confab.button('Train').isEnabled(), 'the run to stop')
    const stopped = await confab.step()
    await pause(500)
    assert.equal(await confab.step(), stopped)
    await confab.click('Train')
    await confab.untilStep(stopped + 5)
  })
})

test('Step makes one step, New run goes back to none', async () => {
  await withPage({ fragment: TINY }, async confab => {
    for (const step of [1, 2, 3]) {
      await confab.click('Step')
      await confab.untilStep(step)
      assert.equal(await confab.step(), step)
    }
    await confab.click('New run')
    await eventually(async () => await confab.step() === 0, 'step 0')
  })
})

test('the same seed gives the same losses, another seed others', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const losses = async () => {
      await confab.click('New run')
      await eventually(async () => await confab.step() === 0, 'step 0')
      for (const step of [1, 2, 3]) {
        await confab.click('Step')
        await confab.untilStep(step)
      }
      return confab.loss()
    }
    const once = await losses()
    assert.equal(await losses(), once)
    await confab.page.getByLabel('Seed', { exact: true }).fill('7')
    assert.notEqual(await losses(), once)
  })
})

test('settings that change once there are weights ask what becomes of them', async () => {
  await withPage({ fragment: `${TINY}&train.warmup=10&train.steps=200` }, async confab => {
    const dialog = confab.page.getByRole('dialog', { name: 'The settings have changed' })
    const set = (name, value) => confab.page.getByLabel(name, { exact: true }).fill(value)
    await confab.click('Train')
    await confab.untilStep(200)
    const trained = await confab.loss()
    await set('Learning rate', '0.0001')
    await confab.click('Train')
    await dialog.getByText(/^Learning rate [\d.]+ → 0\.0001$/).waitFor()
    await dialog.getByRole('button', { name: 'Cancel' }).click()
    assert.equal(await confab.step(), 200, 'nothing is lost')

    await confab.click('Step')
    await dialog.getByRole('button', { name: 'Go on with these weights' }).click()
    await confab.untilStep(1)
    await eventually(async () => await confab.step() === 1, 'step 1 of the new run')
    assert(Math.abs(await confab.loss() - trained) < 0.3, `${trained} is now ${await confab.loss()}`)

    await confab.settings()
    await set('Width (d_model)', '8')
    await confab.click('Step')
    await dialog.getByText(/does not fit/).waitFor()
    assert(!await dialog.getByRole('button', { name: 'Go on with these weights' }).isVisible())
    await dialog.getByRole('button', { name: 'New run' }).click()
    await eventually(async () => await confab.loss() > 3.5, 'the loss of new weights')
    assert.equal(await confab.step(), 1)
  })
})

test('Space trains and pauses, a full stop steps, a question mark lists the keys', async () => {
  await withPage({ fragment: TINY }, async confab => {
    const { keyboard } = confab.page
    await confab.page.locator('h1').click() // the keys belong to no control
    await keyboard.press('.')
    await confab.untilStep(1)
    await keyboard.press('Space')
    await confab.untilStep(5)
    await keyboard.press('Space')
    await eventually(() => confab.button('Train').isEnabled(), 'the run to stop')
    await keyboard.press('?')
    await confab.page.getByRole('dialog').waitFor()
  })
})

test('a run that cannot be run is refused by a sentence that names the knob', async () => {
  const refusals = [
    ['Heads', { Heads: '3' }, /Heads/],
    ['Context', { Context: '16' }, /Context/],
    ['Batch size', { Layers: '48', 'Width (d_model)': '2048', 'Batch size': '4096', Context: '2048' }, /Batch size/],
    ['Learning rate', { 'Learning rate': 'fast' }, /Learning rate/],
  ]
  for (const [what, knobs, pattern] of refusals) {
    await withPage({}, async confab => {
      await confab.settings()
      for (const [knob, value] of Object.entries(knobs)) await confab.page.getByLabel(knob, { exact: true }).fill(value)
      await confab.click('Train')
      await confab.untilNotice(pattern)
      assert(!await confab.step(), `${what}: it trained all the same`)
    })
  }
})

test('the presets up to 207k train on the CPU with their own batch', async () => {
  await withPage({ fragment: 'task.kind=facts&train.val_batches=1' }, async confab => {
    for (const preset of ['30k', '207k']) {
      await confab.combobox('Preset').selectOption(preset)
      await confab.click('New run')
      await eventually(async () => await confab.step() === 0, 'a new run')
      await confab.click('Step')
      await confab.untilStep(1)
    }
  })
})

test('a run that diverges is told, goes back to its last good step, and can be saved', async () => {
  const wild = '&model.n_layers=2&model.n_heads=2&model.d_model=4&model.norm=none&model.init_std=1'
    + '&train.lr=10&train.clip=0&train.warmup=0&train.steps=300'
  await withPage({ fragment: TINY + wild }, async confab => {
    await confab.click('Train')
    await confab.untilNotice(/no longer a finite number.*back at step \d+/)
    const good = await confab.step()
    assert.equal(good, Number((await confab.text('notice')).match(/back at step (\d+)/)[1]))
    const { metadata } = await confab.saveCheckpoint()
    assert.equal(Number(metadata['confab.step']), good)
  })
})

test('each task begins with settings that are tuned to it, until the user changes one', async () => {
  await withPage({}, async confab => {
    await confab.settings()
    const shows = async (preset, values) => {
      const value = name => confab.page.getByRole('textbox', { name, exact: true }).inputValue()
      const shown = async () =>
        JSON.stringify([await confab.combobox('Preset').inputValue(), await value('Context'), await value('Steps')])
      await eventually(async () => await shown() === JSON.stringify([preset, ...values]), `${preset} ${values}`, 5000, shown)
    }
    for (const [task, context, steps] of [['induction', '50', '1200'], ['facts', '160', '600'], ['phone', '96', '1300']]) {
      await confab.combobox('Task').selectOption(task)
      await shows('tuned', [context, steps])
    }
    await confab.page.getByRole('textbox', { name: 'Steps', exact: true }).fill('3')
    await confab.combobox('Task').selectOption('induction')
    await shows('', ['96', '3'])
    await confab.combobox('Preset').selectOption('tuned')
    await shows('tuned', ['50', '1200'])
  })
})

test('a finished run goes on with more steps, and on another device', async () => {
  await withPage({ fragment: TINY + '&train.steps=2' }, async confab => {
    await confab.click('Train')
    await confab.untilStep(2)
    const before = await confab.saveCheckpoint()
    await confab.click('Train')
    await confab.untilNotice(/last step.*more Steps/i)
    await confab.page.getByRole('textbox', { name: 'Steps', exact: true }).fill('4')
    await confab.click('Train')
    await confab.untilStep(4)
    const history = checkpoint => JSON.parse(checkpoint.metadata['confab.history'])
    const after = await confab.saveCheckpoint()
    assert.deepEqual(history(after).slice(0, history(before).length), history(before))
    await confab.combobox('Device').selectOption('webgpu')
    await confab.page.getByRole('textbox', { name: 'Steps', exact: true }).fill('6')
    await confab.click('Train')
    await confab.untilDevice(/WebGPU/, 60_000)
    await confab.untilStep(6)
    assert.deepEqual(history(await confab.saveCheckpoint()).slice(0, history(after).length), history(after))
  })
})
