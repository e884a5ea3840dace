// What a model may ask of a GPU: small ones are bound by the number of dispatches, not by arithmetic.

import assert from 'node:assert/strict'
import { readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { COUNT_CALLS, DIST, TINY, eventually, withPage } from './harness.mjs'

const SLOW = 300_000

const QUIET = 'train.val_every=1000000&train.steps=1000000'

/** What each of the first `count` steps asked for, those given ahead with the step before; `begin` is done before the page trains. */
async function steps(fragment, count, timeout = SLOW, begin = async () => {}) {
  let reads
  await withPage({ fragment: `${TINY}&${fragment}&${QUIET}`, device: 'webgpu', worker: COUNT_CALLS }, async confab => {
    await begin(confab)
    await confab.click('Train')
    await confab.untilStep(count, timeout)
    await confab.untilDevice(/WebGPU/)
    reads = await confab.page.workers()[0].evaluate(() => self.reads)
  })
  return reads.filter(read => read.copied === 4).slice(0, count)
}

const only = values => {
  const different = [...new Set(values)]
  assert.equal(different.length, 1, `not the same each time: ${different}`)
  return different[0]
}

/** Dispatches of a warm step. The losses of steps that are given ahead are read together. */
function dispatches(taken) {
  const groups = []
  for (const step of taken.slice(20)) {
    if (step.dispatches > 0 || groups.length === 0) groups.push({ steps: 0, dispatches: 0 })
    const last = groups.at(-1)
    last.steps++
    last.dispatches += step.dispatches
  }
  return only(groups.slice(1, -1).map(group => group.dispatches / group.steps))
}

test('a training step keeps to its budget of dispatches, submits, buffers and reads', async () => {
  const [two, three] = [await steps('model.n_layers=2', 40), await steps('model.n_layers=3', 40)]
  for (const taken of [two, three]) {
    assert.equal(taken.length, 40, 'reads of one number in 40 steps')
    const warm = taken.slice(20)
    assert(Math.max(...warm.map(step => step.submits)) <= 2, JSON.stringify(warm))
    // None, unless the run is saved meanwhile: what is saved is kept beside what the step makes.
    const created = warm.reduce((sum, step) => sum + step.buffers, 0)
    assert(created <= 1, `${created} buffers created in 20 steps`)
  }
  const [of_two, of_three] = [two, three].map(dispatches)
  assert(of_two <= 60, `${of_two} dispatches with two layers`)
  assert(of_three - of_two <= 22, `${of_three - of_two} more with a third`)
  // By which `?bench` reckons the floor of a step.
  assert.deepEqual([of_three - of_two, 3 * of_two - 2 * of_three], [16, 19])
})

test('a layer of linear attention takes one dispatch more than one of attention', async () => {
  const [two, three] = [await steps('model.mixer=linear&model.n_layers=2', 30), await steps('model.mixer=linear&model.n_layers=3', 30)]
  assert.equal(dispatches(three) - dispatches(two), 17)
})

test('a memory takes few dispatches more than an MLP', async () => {
  const most = { featural: 56, associative: 56, memorizing: 57, 'product-key': 56 }
  for (const [kind, budget] of Object.entries(most)) {
    const taken = await steps(`model.n_layers=2&model.memory.layers=1&model.memory.kind=${kind}`, 20)
    const largest = Math.max(...taken.slice(10).map(step => step.dispatches))
    assert(largest > 40 && largest <= budget, `${kind}: ${largest} dispatches`)
  }
})

test('a character that is written after others keeps to its budget', async () => {
  // Too large to be read back and written with in plain loops.
  const large = 'model.n_layers=2&model.d_model=640&model.n_heads=10&train.batch=1'
  const options = { fragment: `${TINY}&${large}&${QUIET}`, device: 'webgpu', worker: COUNT_CALLS }
  await withPage(options, async confab => {
    await confab.click('New run')
    await confab.untilDevice(/WebGPU/, SLOW)
    const worker = confab.page.workers()[0]
    await worker.evaluate(() => { self.reads.length = 0 })
    await confab.click('Generate')
    const reads = async () => (await worker.evaluate(() => self.reads)).filter(read => read.dispatches > 0)
    await eventually(async () => (await reads()).length > 30, 'characters', SLOW, () => confab.describe())
    const later = (await reads()).slice(2) // after the prompt
    const dispatches = only(later.map(read => read.dispatches))
    assert(dispatches <= 20, `${dispatches} dispatches a character`)
    // One read each, of the logits that are shown as probabilities.
    const logits = only(later.map(read => read.copied))
    assert(logits % 4 === 0 && logits < 4 * 128, `${logits} bytes read a character`)
  })
})

test('another temperature takes no forward pass', async () => {
  await withPage({ fragment: TINY, device: 'webgpu', worker: COUNT_CALLS }, async confab => {
    await confab.page.getByRole('textbox', { name: 'Prompt' }).fill('{B}\nAda Moss: 212')
    await confab.click('Step')
    await confab.untilDevice(/WebGPU/, SLOW)
    await confab.tab('Probabilities').click()
    const likeliest = async () => parseFloat(await confab.output('probabilities').locator('td.drawn-at').first().innerText())
    await eventually(async () => await likeliest() > 0, 'what is expected', SLOW)
    const first = await likeliest()
    const worker = confab.page.workers()[0]
    await worker.evaluate(() => { self.reads.length = 0 })
    const temperature = confab.page.getByRole('slider', { name: 'Temperature' })
    await temperature.fill('0.1')
    await eventually(async () => await likeliest() > first, 'a surer sample')
    await temperature.fill('2')
    await eventually(async () => await likeliest() < first, 'a less sure one')
    // A forward pass would have ended in a read.
    assert.deepEqual(await worker.evaluate(() => self.reads), [])
  })
})

test('memory is the same after 5,000 steps as after 100', async () => {
  const small = 'task.phone.names=2&model.n_layers=1&model.d_model=4&model.n_heads=1&train.batch=1'
  // A run is saved while it trains, for which memory is kept: saved at first, it has it from the first on.
  const save = async confab => {
    await confab.click('Step')
    await confab.untilStep(1, SLOW)
    await confab.saveCheckpoint()
  }
  const taken = await steps(small, 5000, 900_000, save)
  const [early, late] = [taken[99], taken.at(-1)].map(step => step.memory)
  assert.equal(late, early)
})

// Of these, adapters, exports and tokens of pieces of text take 118 kB, grammars 113 kB, mixers and blocks some 80 kB, films 18 kB,
// and helpers 10 kB.
test('the worker is at most 3.5 MB to load', () => {
  const bytes = statSync(join(DIST, 'worker.packed')).size
  assert(bytes <= 3_500_000, `${bytes} bytes gzipped`)
})

// Of these, two tasks, optimizers, mixers by layer and the chart of accuracies take 9 kB.
test('the page is at most 460 kB to load', () => {
  const bytes = statSync(join(DIST, readdirSync(DIST).find(file => /^app-.*\.packed$/.test(file)))).size
  assert(bytes <= 460_000, `${bytes} bytes gzipped`)
})
