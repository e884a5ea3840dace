// What a model is made of, changed in the page: it goes on training, and every change can be taken back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const title = confab => confab.page.getByRole('heading', { name: /layers? of/ })

async function operate(confab, operation, number) {
  await confab.combobox('Operation').selectOption(operation)
  const box = confab.page.getByRole('textbox', { name: 'Number', exact: true })
  await box.fill(String(number))
  await confab.click('Apply')
}

async function untilTitle(confab, pattern) {
  await eventually(async () => await title(confab).count() > 0 && pattern.test(await title(confab).first().innerText()),
    `an architecture like ${pattern}`, 30_000, () => confab.describe())
}

test('a model is operated on, trains on and is taken back', async () => {
  await withPage({ fragment: TINY + '&tab=surgery' }, async confab => {
    await confab.click('Train')
    await confab.untilStep(10)
    await confab.click('Pause')
    await eventually(() => confab.button('Train').isEnabled(), 'the run to stop')
    const step = await confab.step()
    const loss = await confab.loss()
    await untilTitle(confab, /^2 layers of 2 heads, 2 wide, on a residual stream of 4/)
    await confab.page.getByRole('cell', { name: '4 × 4', exact: true }).first().waitFor()

    await operate(confab, 'Add a layer', 1)
    await confab.untilNotice(/Add a layer: 1\. .* logits changed by at most/)
    await untilTitle(confab, /^3 layers of 2 heads/)
    await confab.page.getByRole('heading', { name: '1 operation so far' }).waitFor()
    assert.equal(await confab.step(), step)
    assert.equal(await confab.loss(), loss)

    await operate(confab, 'Widen the residual stream', 2)
    await untilTitle(confab, /^3 layers of 2 heads, 2 wide, on a residual stream of 8/)
    await confab.click('Step') // no new run: the knobs are the model's
    await confab.untilStep(step + 1)

    await operate(confab, 'Drop a head', 'L0H1')
    await confab.untilNotice(/the head that every layer loses/)
    await operate(confab, 'Drop a head', 5)
    await confab.untilNotice(/there is no head 5/)

    const { metadata } = await confab.saveCheckpoint()
    assert.deepEqual(JSON.parse(metadata['confab.edits']), [
      { operation: { kind: 'add-layer', number: 1 }, step },
      { operation: { kind: 'widen', number: 2 }, step },
    ])

    await confab.click('Undo')
    await untilTitle(confab, /^3 layers of 2 heads, 2 wide, on a residual stream of 4/)
    assert.equal(await confab.step(), step)
    await confab.click('Undo')
    await untilTitle(confab, /^2 layers/)
    await confab.click('Undo')
    await confab.untilNotice(/no operation to take back/)
    await confab.click('Train')
    await confab.untilStep(step + 5)
  })
})

test('heads grow while a run trains, and what that does to the loss is told', async () => {
  const grows = '&model.head_gates=true&train.heads.every=5&train.heads.grow_above=0.4&train.heads.max=3'
  await withPage({ fragment: TINY + grows + '&tab=surgery' }, async confab => {
    await confab.click('Train')
    await confab.untilNotice(/Step 5: 3 heads a layer now.* Validation loss \d\.\d+ before, \d\.\d+ after/)
    await untilTitle(confab, /^2 layers of 3 heads/)
    await confab.untilStep(40) // it goes on by itself
    await confab.settings()
    assert.equal(await confab.page.getByRole('textbox', { name: 'Heads', exact: true }).inputValue(), '3')
    assert.equal(await confab.combobox('Device').inputValue(), 'cpu')
    await confab.click('Pause')
    await eventually(() => confab.button('Train').isEnabled(), 'the run to stop')
    const step = await confab.step()

    // A lottery ticket: half of the weights go, the others go back to where they began.
    await operate(confab, 'Prune weights', 50)
    await confab.untilNotice(/Prune weights: 50\. .* logits changed/)
    await operate(confab, 'Rewind weights', 5) // of the model before its heads grew
    await confab.untilNotice(/no weights of step 5/)
    await operate(confab, 'Rewind weights', 32)
    await eventually(async () => await confab.step() === 32, 'the run to go back', 30_000, () => confab.describe())
    await confab.click('Train')
    await confab.untilStep(step + 1)
    const { metadata } = await confab.saveCheckpoint()
    const edits = JSON.parse(metadata['confab.edits'])
    assert.deepEqual(edits.map(edit => edit.operation.kind), ['grow-heads', 'prune-weights', 'rewind'])
    assert.equal(edits[0].loss.length, 2)
  })
})
