// The WebGPU path, on whatever adapter Chromium has: SwiftShader's, where there is no graphics card.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const SLOW = 180_000 // a step in software takes a second
const FEW_STEPS = `${TINY}&train.warmup=1&train.val_every=1000&train.steps=12`

const history = checkpoint => JSON.parse(checkpoint.metadata['confab.history'])

test('trains on WebGPU, to the losses that the CPU has', async () => {
  const train = async (device, name) => {
    let losses
    await withPage({ fragment: FEW_STEPS, device }, async confab => {
      await confab.click('Train')
      await confab.untilStep(12, SLOW)
      await confab.untilDevice(name)
      losses = history(await confab.saveCheckpoint()).map(point => point.train_loss)
    })
    return losses
  }
  const [gpu, cpu] = [await train('webgpu', /WebGPU/), await train('cpu', /^CPU/)]
  assert.equal(gpu.length, 12)
  assert(gpu.at(-1) < gpu[0] - 0.1, `the loss went from ${gpu[0]} to ${gpu.at(-1)}`)
  gpu.forEach((loss, step) => {
    assert(Math.abs(loss - cpu[step]) < 1e-3 * cpu[step], `step ${step + 1}: ${loss} on WebGPU, ${cpu[step]} on the CPU`)
  })
})

/** Firefox at its worst: what the GPU has finished is told only when something is submitted. */
const FIREFOX = `
  Object.defineProperty(navigator, 'userAgent', { value: 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0' })
  const finished = []
  const { submit } = GPUQueue.prototype
  GPUQueue.prototype.submit = function (...commands) {
    submit.apply(this, commands)
    for (const tell of finished.splice(0)) tell()
  }
  const { mapAsync } = GPUBuffer.prototype
  GPUBuffer.prototype.mapAsync = function (...range) {
    const mapped = mapAsync.apply(this, range)
    return new Promise((tell, fail) => mapped.then(() => finished.push(tell), fail))
  };`

test('a browser that tells what a GPU has finished only when asked is asked', async () => {
  await withPage({ fragment: FEW_STEPS, device: 'webgpu', worker: FIREFOX }, async confab => {
    await confab.click('Train')
    await confab.untilStep(12, SLOW)
    await confab.untilDevice(/WebGPU/)
    assert.equal(history(await confab.saveCheckpoint()).length, 12)
  })
})

test('without WebGPU, trains on the CPU', async () => {
  await withPage({ fragment: TINY, device: 'auto', gpu: false }, async confab => {
    await confab.click('Train')
    await confab.untilStep(5)
    await confab.untilDevice(/^CPU/)
  })
})

test('WebGPU chosen by hand where there is none ends in a notice, not in silence', async () => {
  await withPage({ fragment: TINY, device: 'webgpu', gpu: false }, async confab => {
    await confab.click('Train')
    await confab.untilNotice(/WebGPU/)
  })
})

test('does not choose a software adapter by itself', async () => {
  await withPage({ fragment: TINY, device: 'auto' }, async confab => {
    const isSoftware = await confab.page.evaluate(async () => {
      const adapter = await navigator.gpu?.requestAdapter()
      return !adapter || adapter.info.isFallbackAdapter || /swiftshader|llvmpipe/i.test(adapter.info.architecture + adapter.info.description)
    })
    await confab.click('Train')
    await confab.untilStep(2, SLOW)
    await confab.untilDevice(isSoftware ? /^CPU/ : /WebGPU/)
  })
})

test('WebGPU is chosen again after the CPU', async () => {
  await withPage({ fragment: TINY, device: null }, async confab => {
    for (const [device, name] of [['webgpu', /WebGPU/], ['cpu', /^CPU/], ['webgpu', /WebGPU/]]) {
      await confab.combobox('Device').selectOption(device)
      await confab.click('New run')
      await confab.untilDevice(name, SLOW)
    }
  })
})

test('a GPU that is lost ends in a notice, and the run goes on on the CPU', async () => {
  const keepDevices = `
    self.devices = []
    const requestDevice = GPUAdapter.prototype.requestDevice
    GPUAdapter.prototype.requestDevice = async function (...options) {
      const device = await requestDevice.apply(this, options)
      self.devices.push(device)
      return device
    };`
  const options = { fragment: TINY, device: 'webgpu', worker: keepDevices, errors: /./ }
  await withPage(options, async confab => {
    await confab.click('Train')
    await confab.untilStep(2, SLOW)
    await confab.untilDevice(/WebGPU/)
    const lost = await confab.page.workers()[0].evaluate(() => self.devices.map(device => device.destroy()).length)
    assert(lost > 0, 'the worker has no GPU device')
    await confab.untilNotice(/CPU/)
    await confab.untilDevice(/^CPU/)
    await goesOn(confab)
  })
})

test('a GPU process that crashes does the same', async () => {
  await withPage({ fragment: TINY, device: 'webgpu', errors: /./ }, async confab => {
    await confab.click('Train')
    await confab.untilStep(2, SLOW)
    const browser = await confab.page.context().browser().newBrowserCDPSession()
    await browser.send('Browser.crashGpuProcess')
    await confab.untilNotice(/CPU/)
    await confab.untilDevice(/^CPU/)
    await goesOn(confab)
  })
})

async function goesOn(confab) {
  await eventually(() => confab.button('Pause').isEnabled(), 'the run to go on', 60_000, () => confab.describe())
  const step = await confab.step()
  await confab.untilStep((step || 0) + 5)
}
