// A clone that learns with memories, beside its teacher, whose place it takes.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

test('a model is distilled into a memory, which is shown while it learns and can be taken back', async () => {
  await withPage({ fragment: TINY + '&tab=memory' }, async confab => {
    const box = name => confab.page.getByRole('textbox', { name, exact: true })
    await confab.page.getByText('Distil into memories', { exact: true }).click()
    await confab.click('Distil')
    await confab.untilNotice(/There is no model to distil yet/)

    await confab.click('Train')
    await confab.untilStep(150)
    await confab.click('Pause')
    await eventually(() => confab.button('Train').isEnabled(), 'the run to stop')
    const step = await confab.step()
    await box('In layers').fill('5')
    await confab.click('Distil')
    await confab.untilNotice(/not begun: .*Memory layers/)

    await box('In layers').fill('1')
    await box('For steps').fill('200')
    await confab.combobox('Kind').selectOption('associative')
    await box('Both write after').fill('{B}')
    await confab.click('Distil')
    const standing = () => confab.text('distilled')
    await eventually(async () => /Step 200 of 200/.test(await standing()), 'all steps', 120_000, () => confab.describe())
    const [kl, first] = (await standing()).match(/KL.* ([\d.]+) nats a token, ([\d.]+) at first/).slice(1).map(Number)
    assert(kl < first, `${first} to ${kl}`)
    const row = confab.page.getByRole('table', { name: 'Replaced layers' }).getByRole('row', { name: /^L1/ })
    assert.match(await row.innerText(), /L1\s+[\d.]+\s+\d+/)
    for (const side of ['Teacher', 'Clone']) {
      assert.match(await confab.page.getByText(new RegExp(`^${side}: `)).innerText(), /: \{B\}/)
    }

    // The clone is the model now, on the device that was chosen.
    await eventually(async () => /^L1: \d+ slots/.test(await confab.text('slots')), 'its slots', 30_000, () => confab.describe())
    assert.equal(await confab.combobox('Device').inputValue(), 'cpu')
    const { metadata } = await confab.saveCheckpoint()
    const { memory } = JSON.parse(metadata['confab.config']).model
    assert.deepEqual([memory.kind, memory.layers], ['associative', '1'])

    await confab.tab('Edit architecture').click()
    await confab.click('Undo')
    await confab.tab('Memory').click()
    await eventually(async () => /no memory/.test(await confab.text('slots')), 'the teacher', 30_000, () => confab.describe())
    assert.equal(await confab.step(), step)
  })
})
