// Training on several cores: helpers beside the worker.

import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

/** All that crosses rows: dropout, a memory that is written, clipping, heads that are added. */
const ALL = 'model.dropout=0.2&model.memory.kind=associative&model.memory.layers=1&train.clip=0.1&model.head_gates=true'
  + '&train.heads.every=50&train.heads.grow_above=0.1'
const STEPS = 300
const FRAGMENT = `${TINY}&train.batch=11&train.val_every=100&train.steps=${STEPS}&train.shards=8&${ALL}`

const open = (worker, body) => withPage({ cores: 4, worker, fragment: FRAGMENT }, body)

async function setCores(confab, cores) {
  await confab.settings()
  await confab.combobox('Cores').selectOption(cores)
}

/** Trains with so many cores, and tells a digest of the checkpoint, whose parts are in no order, without the times it took. */
async function train(confab, cores, notice) {
  await setCores(confab, cores)
  await confab.click('Train')
  if (notice) await confab.untilNotice(notice)
  await confab.untilStep(STEPS, 60_000)
  const { metadata, tensors, bytes } = await confab.saveCheckpoint()
  const history = JSON.parse(metadata['confab.history']).map(({ seconds, ...losses }) => losses)
  metadata['confab.history'] = JSON.stringify(history)
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
    const weights = await train(confab, '2', /made to stop.*other cores take its work/)
    assert.equal(weights, one, 'a run whose helper died has other weights')
    assert.doesNotMatch(await confab.text('device'), /cores/)
    assert.equal(await confab.combobox('Cores').inputValue(), '1', 'the setting is what trains')
  })
})

/** Counts messages to helpers, and theirs. */
const COUNTED = `
  self.counts = { sent: 0, came: 0 }
  const Whole = self.Worker
  self.Worker = class extends Whole {
    constructor(...options) {
      super(...options)
      this.addEventListener('message', () => self.counts.came++)
    }
    postMessage(...message) {
      self.counts.sent++
      super.postMessage(...message)
    }
  };`
const counts = confab => confab.page.workers()[0].evaluate(() => self.counts)

test('an evaluation has the same numbers with one core and four', async () => {
  const evaluate = async cores => {
    let evaluated
    await withPage({ cores: 4, worker: COUNTED, open: false }, async confab => {
      await confab.open()
      await confab.untilExample()
      await setCores(confab, cores)
      await eventually(async () => (await counts(confab)).came === Number(cores) - 1, 'helpers', 60_000)
      await confab.tab('Evaluate').click()
      await confab.page.getByRole('spinbutton', { name: 'Records' }).fill('600')
      await confab.page.getByRole('spinbutton', { name: 'Temperature of answers' }).fill('1')
      await confab.click('Evaluate')
      await eventually(async () => (await confab.output('retrieval-progress').allInnerTexts()).join().startsWith('600 of 600'),
        'all records', 120_000, () => confab.describe())
      const rows = await confab.page.getByRole('table').locator('.number').allInnerTexts()
      assert(rows.length > 10)
      evaluated = [rows, await counts(confab)]
    })
    return evaluated
  }
  const [alone, none] = await evaluate('1')
  const [together, { sent, came }] = await evaluate('4')
  assert.deepEqual(none, { sent: 0, came: 0 })
  assert.deepEqual(together, alone)
  assert(sent > 3 * 2 && came === sent, `${sent} messages to three helpers, ${came} of theirs`)
})
