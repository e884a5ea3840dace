// What a training step may ask of a GPU. Small models are bound by the number of dispatches, not by arithmetic.

import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import { DIST, TINY, eventually, withPage } from './harness.mjs'

// Counts what is asked of the GPU from one read to the next: a step ends with its only read, that of its loss.
const COUNT_CALLS = `
  self.intervals = []
  self.buffers = { count: 0, bytes: 0 }
  const zero = () => ({ dispatches: 0, submits: 0, buffers: 0, bytesRead: 0 })
  let now = zero()
  const before = (type, method, count) => {
    const original = type.prototype[method]
    type.prototype[method] = function (...options) {
      count.apply(this, options)
      return original.apply(this, options)
    }
  }
  before(GPUComputePassEncoder, 'dispatchWorkgroups', () => { now.dispatches++ })
  before(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', () => { now.dispatches++ })
  before(GPUQueue, 'submit', () => { now.submits++ })
  before(GPUDevice, 'createBuffer', ({ size }) => { now.buffers++; self.buffers.count++; self.buffers.bytes += size })
  before(GPUBuffer, 'destroy', function () { self.buffers.count--; self.buffers.bytes -= this.size })
  before(GPUBuffer, 'mapAsync', function () {
    self.intervals.push({ ...now, bytesRead: this.size, memory: self.buffers.bytes })
    now = zero()
  });`

const QUIET = `${TINY}&train.val_every=100000&train.steps=100000`

/** The intervals from read to read in \`steps\` steps after the first \`warm\`. */
async function intervals(fragment, warm, steps) {
  let taken
  await withPage({ fragment, device: 'webgpu', worker: COUNT_CALLS }, async confab => {
    await confab.click('Train')
    await confab.untilStep(warm + steps, 600_000)
    await confab.untilDevice(/WebGPU/)
    taken = await confab.page.workers()[0].evaluate(() => self.intervals)
  })
  return taken.slice(warm)
}

test('probe', async () => {
  const all = await intervals(QUIET, 0, 60)
  for (const [i, x] of all.entries()) console.log(i, JSON.stringify(x))
})
