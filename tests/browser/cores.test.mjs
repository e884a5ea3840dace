// Training on several cores: helpers beside the worker.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { TINY, withPage } from './harness.mjs'

/** All that crosses rows: dropout, a memory that is written, clipping, heads that are added. */
const ALL = 'model.dropout=0.2&model.memory.kind=associative&model.memory.layers=1&train.clip=0.1&model.head_gates=true'
  + '&train.heads.every=50&train.heads.grow_above=0.1'
const STEPS = 300
const FRAGMENT = `${TINY}&train.batch=11&train.val_every=100&train.steps=${STEPS}&${ALL}`

/** A machine with four cores. */
const CORES = "Object.defineProperty(navigator, 'hardwareConcurrency', { value: 4 });"

async function open(worker, body) {
  await withPage({ worker: CORES + worker, open: false }, async confab => {
    await confab.page.context().addInitScript(CORES)
    await confab.open(FRAGMENT)
    await body(confab)
  })
}

/** Trains with so many cores, and tells a digest of the checkpoint, whose parts are in no order. */
async function train(confab, cores, notice) {
  await confab.combobox('Cores').selectOption(cores)
  await confab.click('Train')
  if (notice) await confab.untilNotice(notice)
  await confab.untilStep(STEPS, 60_000)
  const { metadata, tensors, bytes } = await confab.saveCheckpoint()
  const start = 8 + Number(bytes.readBigUInt64LE(0))
  const hash = createHash('sha256').update(JSON.stringify(Object.entries(metadata).sort()))
  for (const name of Object.keys(tensors).sort()) {
    const [first, end] = tensors[name].data_offsets
    hash.update(name).update(bytes.subarray(start + first, start + end))
  }
  return hash.digest('hex')
}

test('a run is the same to the bit with one core, two and three, and when a helper dies', async () => {
  let one
  await open('', async confab => { one = await train(confab, '1') })
  for (const cores of ['2', '3']) {
    await open('', async confab => {
      assert.equal(await train(confab, cores), one, `${cores} cores train other weights than one`)
      assert.match(await confab.text('device'), new RegExp(`, ${cores} cores$`))
    })
  }
  const dies = `
    const Whole = self.Worker
    self.Worker = class extends Whole {
      constructor(...options) {
        super(...options)
        setTimeout(() => {
          this.terminate()
          this.dispatchEvent(new ErrorEvent('error', { message: 'made to stop' }))
        }, 1000)
      }
    };`
  await open(dies, async confab => {
    const weights = await train(confab, '2', /made to stop.*goes on with one core/)
    assert.equal(weights, one, 'a run whose helper died has other weights')
    assert.doesNotMatch(await confab.text('device'), /cores/)
  })
})
