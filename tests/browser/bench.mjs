// A training step of the page's worker beside one of GenAI NanoGPT (https://github.com/knicos/genai-nanogpt, on
// TensorFlow.js), both on the WebGPU adapter of one Chromium. Run by hand, after ./dev build:
//
//   node tests/browser/bench.mjs
//
// GenAI NanoGPT's package has all that it runs in it, so it is fetched without its 400 MB of dependencies and kept
// in node_modules/.cache.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { COUNT_CALLS, Confab, eventually, launch, serve } from './harness.mjs'

const PACKAGE = '@genai-fi/nanogpt@1.3.0'
const CACHE = fileURLToPath(new URL('../../node_modules/.cache/genai-nanogpt-1.3.0/', import.meta.url))
const MODEL = { layers: 2, heads: 2, width: 8, batch: 32, tokens: 64 }
/** Each measures the one and then the other, so that what else the machine does falls to both. */
const TURNS = 3
const ROUNDS = 7
const SLOW = 200_000

/** The folder of GenAI NanoGPT's modules. */
function fetchPackage() {
  const folder = join(CACHE, 'package', 'dist')
  if (!existsSync(folder)) {
    mkdirSync(CACHE, { recursive: true })
    const [packed] = JSON.parse(execFileSync('npm', ['pack', PACKAGE, '--json', '--pack-destination', CACHE]))
    execFileSync('tar', ['-xzf', join(CACHE, packed.filename), '-C', CACHE])
  }
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>GenAI NanoGPT</title>')
  return folder
}

/** The row of the page's benchmark that is of this shape. */
async function measureConfab(confab) {
  const { page } = confab
  await page.bringToFront()
  await confab.click('Run benchmark')
  await eventually(async () => await confab.button('Run benchmark').isEnabled(), 'the rows', SLOW, () => confab.text('bench-progress'))
  assert.equal(await confab.text('notice'), '')
  const [download] = await Promise.all([page.waitForEvent('download'), confab.click('Save as JSON')])
  const rows = JSON.parse(readFileSync(await download.path(), 'utf8'))
  const reads = await page.workers()[0].evaluate(() => self.reads.splice(0))
  return { ...rows.find(row => row.shape.batch === MODEL.batch && row.shape.seq === MODEL.tokens), dispatches: largest(reads) }
}

/** Dispatches of a whole step: no part of one that is measured by itself has as many. */
function largest(reads) {
  const counts = reads.map(read => read.dispatches)
  return Math.max(...counts.filter(count => counts.filter(other => other === count).length >= ROUNDS))
}

/** In GenAI NanoGPT's page: makes `globalThis.measure`, which times steps of its own trainer. */
async function prepareNanoGpt({ layers, heads, width, batch, tokens, vocabulary }) {
  const [{ selectBackend }, { default: create }, { default: Trainer }, { createTokenStore }, { DatasetBuilder }] =
    await Promise.all(['backend', 'models/factory', 'training/BasicTrainer', 'training/tasks/TokenStore',
      'training/DatasetBuilder'].map(module => import(`/${module}.js`)))
  await selectBackend('webgpu')
  const model = create({
    modelType: 'GenAI_NanoGPT_v1', useRope: false, vocabSize: vocabulary, blockSize: tokens,
    nLayer: layers, nHead: heads, nEmbed: width, mlpFactor: 4,
  })
  const trainer = new Trainer(model, {}, { clipNorm: 1 })
  const store = await createTokenStore('bench', 'any', 'any', { noOPFS: true })
  store.appendShard(Uint16Array.from({ length: 40_000 }, (_, place) => (place * place + 7 * place) % vocabulary))
  await store.finish()
  const { dataset } = await new DatasetBuilder({}, tokens).createTextDataset(store, { batchSize: batch })
  const batches = await dataset.iterator()
  const median = times => times.sort((a, b) => a - b)[times.length >> 1]

  globalThis.measure = async rounds => {
    const { value, done } = await batches.next()
    if (done || value.xs.shape.join() !== `${batch},${tokens}`) throw new Error('a batch of another shape')
    const seconds = async work => {
      const start = performance.now()
      await work()
      return (performance.now() - start) / 1000
    }
    const step = async () => {
      const loss = trainer.trainStep({}, value)
      const [number] = await loss.data()
      if (!Number.isFinite(number)) throw new Error(`a loss of ${number}`)
      loss.dispose()
    }
    for (let round = 0; round < 3; round++) await step()
    globalThis.reads.length = 0
    const steps = []
    for (let round = 0; round < rounds; round++) steps.push(await seconds(step))
    const dispatches = median(globalThis.reads.map(read => read.dispatches))
    // As it trains by itself, it reads a loss only now and then.
    const unread = await seconds(async () => {
      for (let round = 1; round < rounds; round++) trainer.trainStep({}, value).dispose()
      await step()
    })
    return { step: median(steps), unread_step: unread / rounds, dispatches }
  }
}

const modules = fetchPackage()
const [confabServer, otherServer, browser] = await Promise.all([serve(), serve(modules), launch()])
try {
  const context = await browser.newContext({ acceptDownloads: true })
  const confab = new Confab(await context.newPage(), confabServer.url)
  await confab.prependToWorker(COUNT_CALLS)
  const link = `model.n_layers=${MODEL.layers}&model.n_heads=${MODEL.heads}&model.d_model=${MODEL.width}`
    + '&train.batch=1' // so that its own shape, which is measured too, takes little time
  await confab.page.goto(`${confab.url}?bench#${link}`)
  await confab.combobox('Device').selectOption('webgpu')

  const other = await context.newPage()
  await other.addInitScript(COUNT_CALLS)
  await other.goto(otherServer.url)

  const turns = []
  for (let turn = 0; turn < TURNS; turn++) {
    const ours = await measureConfab(confab)
    if (turn === 0) await other.evaluate(prepareNanoGpt, { ...MODEL, vocabulary: ours.vocab_size })
    await other.bringToFront()
    const theirs = await other.evaluate(rounds => globalThis.measure(rounds), ROUNDS)
    turns.push({ ours, theirs, ratio: theirs.step / ours.time.step, ratio_unread: theirs.unread_step / ours.time.step })
  }
  console.log(JSON.stringify({ package: PACKAGE, model: MODEL, turns }, null, 2))
  const middle = key => turns.map(turn => turn[key]).sort((a, b) => a - b)[TURNS >> 1].toFixed(2)
  const [{ ours, theirs }] = turns
  console.log(`${ours.device}, ${MODEL.layers} layers, ${MODEL.heads} heads, width ${MODEL.width}, `
    + `${MODEL.batch} × ${MODEL.tokens} tokens, median of ${TURNS} turns:`)
  console.log(`Confab trains ${middle('ratio')} times as many steps a second as ${PACKAGE} with each loss read, `
    + `${middle('ratio_unread')} times as many as with one loss in ${ROUNDS} read.`)
  console.log(`Dispatches a step: ${ours.dispatches} and ${theirs.dispatches}.`)
} finally {
  await browser.close()
  confabServer.close()
  otherServer.close()
}
