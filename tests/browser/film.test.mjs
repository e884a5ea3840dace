// Figures drawn at every kept step: as an animated GIF and as a zip of pictures.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { TINY, eventually, withPage } from './harness.mjs'

const PROMPT = '{B}\nAda Moss: 212'
const GIF = 'GIF over the steps'
const PNGS = 'PNG sequence (zip)'

/** Size, pictures and times of a GIF, read block by block to its end. */
function readGif(bytes) {
  assert.equal(bytes.toString('latin1', 0, 6), 'GIF89a')
  const palette = flags => flags & 0x80 ? 3 << ((flags & 7) + 1) : 0
  const [size, pictures, delays] = [[bytes.readUInt16LE(6), bytes.readUInt16LE(8)], [], []]
  let at = 13 + palette(bytes[10])
  const skipBlocks = () => { while (bytes[at++]) at += bytes[at - 1] }
  while (bytes[at] !== 0x3b) {
    const start = at
    if (bytes[at] === 0x21) {
      if (bytes[at + 1] === 0xf9) delays.push(bytes.readUInt16LE(at + 4))
      at += 2
      skipBlocks()
    } else {
      assert.equal(bytes[at], 0x2c, `a block at ${at}`)
      at += 10 + palette(bytes[at + 9]) + 1
      skipBlocks()
      pictures.push(bytes.toString('base64', start, at))
    }
  }
  assert.equal(at, bytes.length - 1, 'nothing comes after its end')
  return { size, pictures, delays }
}

/** Files of a zip whose entries are stored, by name. */
function readZip(bytes) {
  const end = bytes.lastIndexOf('PK\x05\x06', undefined, 'latin1')
  const files = {}
  let at = bytes.readUInt32LE(end + 16)
  for (let count = bytes.readUInt16LE(end + 10); count > 0; count--) {
    const [size, name, extra, comment] = [bytes.readUInt32LE(at + 24), bytes.readUInt16LE(at + 28), bytes.readUInt16LE(at + 30), bytes.readUInt16LE(at + 32)]
    const entry = bytes.readUInt32LE(at + 42)
    const start = entry + 30 + bytes.readUInt16LE(entry + 26) + bytes.readUInt16LE(entry + 28)
    files[bytes.toString('utf8', at + 46, at + 46 + name)] = bytes.subarray(start, start + size)
    at += 46 + name + extra + comment
  }
  return files
}

async function openRun(confab, steps) {
  await confab.page.getByRole('textbox', { name: 'Prompt', exact: true }).fill(PROMPT)
  await confab.click('Train')
  await confab.untilStep(steps)
}

const figure = confab => confab.page.getByRole('figure').first()
const checkpoint = confab => confab.page.getByRole('slider', { name: 'Checkpoint' })
const progress = confab => confab.page.getByRole('progressbar', { name: 'Steps drawn' })

/** Begins a film, and waits until some of it is drawn. */
async function begin(confab, format) {
  await figure(confab).getByRole('button', { name: 'Save', exact: true }).click()
  await confab.click(format)
  await confab.page.getByText(/^Drawing step [3-9] of 25$/).waitFor()
}

test('a pattern is drawn at every kept step, and the step that was looked at comes back', async () => {
  await withPage({ fragment: TINY + '&train.steps=24' }, async confab => {
    await openRun(confab, 24)
    const downloads = []
    confab.page.on('download', download => downloads.push(download.suggestedFilename()))
    await checkpoint(confab).fill('7')
    await eventually(async () => await confab.text('visited') === 'step 7', 'the step')

    await begin(confab, GIF)
    await confab.click('Cancel')
    await progress(confab).waitFor({ state: 'hidden' })
    assert.equal(await confab.text('visited'), 'step 7', 'after a cancelled film')
    assert.equal(await confab.text('notice'), '')

    const { name, bytes } = await confab.saveFigure(GIF, figure(confab))
    assert.equal(name, 'phone-steps-attention-l0h0.gif')
    const { size, pictures, delays } = readGif(bytes)
    assert.equal(pictures.length, 25)
    assert.equal(new Set(pictures).size, 25, 'no two pictures are the same')
    assert(delays.at(-1) > delays[0] && new Set(delays.slice(0, -1)).size === 1, `${delays}`)
    await progress(confab).waitFor({ state: 'hidden' })
    assert.equal(await confab.text('visited'), 'step 7', 'after a GIF')
    await confab.page.getByText('step 7', { exact: true }).first().waitFor()

    const zip = await confab.saveFigure(PNGS, figure(confab))
    assert.equal(zip.name, 'phone-steps-attention-l0h0.zip')
    const files = readZip(zip.bytes)
    const names = Array.from({ length: 25 }, (_, step) => `phone-steps-attention-l0h0/step-${String(step).padStart(2, '0')}.png`)
    assert.deepEqual(Object.keys(files), names)
    for (const [name, png] of Object.entries(files)) {
      assert.equal(png.toString('latin1', 1, 4), 'PNG', name)
      assert.deepEqual([png.readUInt32BE(16), png.readUInt32BE(20)], size, name)
    }
    await progress(confab).waitFor({ state: 'hidden' })
    assert.deepEqual(downloads, [name, zip.name], 'nothing came of the cancelled one')

    // Whoever looks at another step meanwhile stays there, and is told.
    await begin(confab, PNGS)
    await checkpoint(confab).press('End')
    await confab.untilNotice(/^phone-steps-attention-l0h0 was not made, at picture \d+ of 25: another step/)
    assert.equal(await confab.text('visited'), 'newest')
  })
})

test('an analysis is drawn over the steps while the model trains on', async () => {
  await withPage({ fragment: TINY + '&train.steps=6400&tab=residual' }, async confab => {
    await openRun(confab, 1)
    const opener = figure(confab).getByRole('button', { name: 'Save', exact: true })
    await opener.click()
    await confab.button('PNG').waitFor()
    assert.equal(await confab.button(GIF).count(), 0, 'one step is no film')
    await opener.click()
    await confab.untilStep(201)
    const { name, bytes } = await confab.saveFigure(GIF, figure(confab))
    assert.match(name, /^phone-steps-lens-the-likeliest.*\.gif$/)
    const { pictures } = readGif(bytes)
    assert(pictures.length >= 3 && new Set(pictures).size === pictures.length, `${pictures.length} pictures`)
    assert.equal(await confab.text('visited'), 'newest')
    const step = await confab.step()
    await confab.untilStep(step + 1)
  })
})
