// What the browser tests stand on: a server for dist/, Chromium, and the page as its user sees it.

import assert from 'node:assert/strict'
import { createReadStream, existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

/** The terminal's program. */
export const CONFAB = process.env.CONFAB_BIN ?? join(process.env.CARGO_TARGET_DIR ?? 'target', 'release', 'confab')

export const DIST = fileURLToPath(new URL('../../dist/', import.meta.url))

// With these, Chromium has a WebGPU adapter (SwiftShader's, in software) on a machine without a graphics card.
const CHROMIUM_FLAGS = [
  '--no-sandbox', '--enable-unsafe-webgpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
]

const MIME_TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm',
  '.json': 'application/json', '.svg': 'image/svg+xml', '.png': 'image/png',
}

/** A phone book of one line: a step of it takes milliseconds. */
export const TINY = 'task.phone.lines=1&task.phone.names=8&model.context=96&train.batch=4&train.val_every=5&train.val_batches=1'

// Counts what is asked of the GPU from one read to the next: a step ends with its only read, of one number.
export const COUNT_CALLS = `
  self.reads = []
  self.memory = 0
  const zero = () => ({ dispatches: 0, submits: 0, buffers: 0, copied: 0 })
  let now = zero()
  const before = (type, method, count) => {
    const original = type.prototype[method]
    type.prototype[method] = function (...options) {
      count(...options)
      return original.apply(this, options)
    }
  }
  before(GPUComputePassEncoder, 'dispatchWorkgroups', () => { now.dispatches++ })
  before(GPUComputePassEncoder, 'dispatchWorkgroupsIndirect', () => { now.dispatches++ })
  before(GPUQueue, 'submit', () => { now.submits++ })
  before(GPUDevice, 'createBuffer', ({ size, usage }) => {
    now.buffers++
    if (!(usage & GPUBufferUsage.MAP_READ)) self.memory += size
  })
  before(GPUCommandEncoder, 'copyBufferToBuffer', (...options) => { now.copied += options.at(-1) })
  before(GPUBuffer, 'mapAsync', () => {
    self.reads.push({ ...now, memory: self.memory })
    now = zero()
  });`

/** Serves dist/, or another folder, on a free port of this machine. */
export async function serve(folder = DIST) {
  assert(existsSync(join(folder, 'index.html')), `${folder} holds no page: run ./dev build`)
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://page').pathname)
    const file = join(folder, path.endsWith('/') ? 'index.html' : path)
    if (!existsSync(file)) return response.writeHead(404).end()
    response.writeHead(200, { 'content-type': MIME_TYPES[extname(file)] ?? 'application/octet-stream' })
    createReadStream(file).pipe(response)
  })
  await new Promise(listening => server.listen(0, '127.0.0.1', listening))
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() }
}

export async function launch() {
  const executablePath = process.env.CONFAB_CHROMIUM || '/usr/bin/chromium'
  return chromium.launch({ executablePath, args: CHROMIUM_FLAGS, headless: true })
}

/**
 * Runs `body` with a fresh page, and fails if the page wrote an error to its console.
 *
 * - `fragment`: the link's fragment to open, without `#`
 * - `device`: what is chosen as Device; `null` leaves it alone
 * - `gpu: false` takes WebGPU away, from page and worker
 * - `cores`: the number of cores that the machine seems to have
 * - `worker`: a script that runs first in the worker
 * - `open: false` leaves the page blank, for `confab.open()`
 * - `errors`: a pattern of console errors that the test expects
 */
export async function withPage(options, body) {
  const { fragment = '', device = 'cpu', gpu = true, cores, worker = '', open = true, errors, context: contextOptions } = options
  const server = await serve()
  const browser = await launch()
  try {
    const context = await browser.newContext({ acceptDownloads: true, ...contextOptions })
    await context.grantPermissions(['clipboard-read', 'clipboard-write'])
    const confab = new Confab(await context.newPage(), server.url)
    if (!gpu) await context.addInitScript(() => { delete Navigator.prototype.gpu })
    const machine = cores ? `Object.defineProperty(navigator, 'hardwareConcurrency', { value: ${cores} });` : ''
    await context.addInitScript(machine)
    await confab.prependToWorker((gpu ? '' : 'delete WorkerNavigator.prototype.gpu;') + machine + worker)
    if (open) await confab.open(fragment, device)
    await body(confab)
    const unexpected = confab.errors.filter(text => !errors?.test(text))
    assert.deepEqual(unexpected, [], 'the page wrote errors to its console')
  } finally {
    await browser.close()
    server.close()
  }
}

/** The page, by the names that its user sees. */
export class Confab {
  constructor(page, url) {
    this.page = page
    this.url = url
    this.errors = []
    page.setDefaultTimeout(30_000)
    page.on('pageerror', error => this.errors.push(String(error)))
    page.on('console', message => { if (message.type() === 'error') this.errors.push(message.text()) })
  }

  async open(fragment = '', device = 'cpu') {
    await this.page.goto('about:blank') // else a change of fragment alone would not load the page anew
    await this.page.goto(this.url + (fragment && '#' + fragment))
    await this.button('Train').waitFor()
    if (device) await this.setDevice(device)
  }

  /** Chooses a device; on a phone, in the view of settings. */
  async setDevice(device) {
    const isAway = !await this.combobox('Device').isVisible()
    if (isAway) await this.view('Settings')
    await this.combobox('Device').selectOption(device)
    if (isAway) await this.view('Answer')
  }

  /** Opens all settings. */
  async settings() { await this.page.locator('details.settings').evaluate(details => { details.open = true }) }

  /** Goes to a view, by its link at the top or the bottom. */
  async view(name) { await this.page.getByRole('link', { name, exact: true }).click() }

  /** Waits until the model on show is the one shipped with the page. */
  async untilExample() { await this.page.getByRole('button', { name: /^example/ }).waitFor() }

  /** Chooses an item of the menu of files. */
  async file(item) { await this.click('Files', item) }

  /** Chooses what is to be done with the model on show. */
  async model(item) {
    await this.page.locator('.chip-holder button').first().click()
    await this.click(item)
  }

  /** Runs `script` in every worker before its own first line. */
  async prependToWorker(script) {
    if (!script) return
    await this.page.context().route('**/worker_loader.js', async route => {
      const response = await route.fetch()
      await route.fulfill({ response, body: script + '\n' + await response.text() })
    })
  }

  button(name) { return this.page.getByRole('button', { name, exact: true }) }
  combobox(name) { return this.page.getByRole('combobox', { name, exact: true }) }
  tab(name) { return this.page.getByRole('tab', { name, exact: true }) }
  output(id) { return this.page.getByTestId(id) }

  async click(...names) { for (const name of names) await this.button(name).click() }
  async text(id) { return (await this.output(id).innerText()).trim() }

  /** The first number that an output shows; NaN if there is none yet. */
  async number(id) {
    const found = (await this.text(id)).replaceAll(',', '').match(/-?\d+(\.\d+)?/)
    return found ? Number(found[0]) : NaN
  }

  step() { return this.number('step') }
  loss() { return this.number('train-loss') }

  async untilStep(step, timeout) {
    await eventually(async () => await this.step() >= step, `step ${step}`, timeout, () => this.describe())
  }

  async untilNotice(pattern, timeout) {
    await eventually(async () => pattern.test(await this.text('notice')), `a notice like ${pattern}`, timeout, () => this.describe())
  }

  async untilDevice(pattern, timeout) {
    await eventually(async () => pattern.test(await this.text('device')), `a device like ${pattern}`, timeout, () => this.describe())
  }

  /** What a failed wait says beside what it waited for. */
  async describe() {
    const shown = ['step', 'train-loss', 'device', 'notice'].map(async id => {
      const output = this.output(id)
      return `${id}: ${await output.count() ? await this.text(id) : 'not there'}`
    })
    return [...await Promise.all(shown), ...this.errors].join('; ')
  }

  /** Chooses a format in the first Save menu of `within`, and reads the file. */
  async saveFigure(format, within = this.page) {
    const download = this.page.waitForEvent('download')
    await within.getByRole('button', { name: 'Save', exact: true }).first().click()
    await within.getByRole('button', { name: format, exact: true }).click()
    return { name: (await download).suggestedFilename(), bytes: readFileSync(await (await download).path()) }
  }

  /** Clicks Save model and reads the file. */
  async saveCheckpoint() {
    const download = this.page.waitForEvent('download')
    await this.file('Save model')
    const path = await (await download).path()
    return { name: (await download).suggestedFilename(), path, ...readCheckpoint(readFileSync(path)) }
  }

  /** Chooses a file for Open model: a path, or `{ name, mimeType, buffer }`. */
  async loadCheckpoint(file) {
    const chooser = this.page.waitForEvent('filechooser')
    await this.file('Open model')
    await (await chooser).setFiles(file)
  }
}

/** A safetensors file's header: `tensors` by name, and `metadata`. */
export function readCheckpoint(bytes) {
  const length = Number(bytes.readBigUInt64LE(0))
  const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.subarray(8, 8 + length).toString())
  return { metadata, tensors, bytes }
}

/** Waits until `check` holds. */
export async function eventually(check, what, timeout = 60_000, describe = async () => '') {
  const end = Date.now() + timeout
  while (!await check()) {
    if (Date.now() > end) assert.fail(`waited ${timeout / 1000} s for ${what}; ${await describe()}`)
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

export const pause = ms => new Promise(resolve => setTimeout(resolve, ms))
