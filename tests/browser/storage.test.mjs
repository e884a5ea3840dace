// A run is not lost: reload, checkpoint files, and the same run at the terminal.

import assert from 'node:assert/strict'
import { execFile, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { CONFAB, Confab, TINY, eventually, pause, readCheckpoint, withPage } from './harness.mjs'
import { cycle } from './models.mjs'

/** The training losses in a checkpoint, by step. */
const losses = checkpoint =>
  Object.fromEntries(JSON.parse(checkpoint.metadata['confab.history']).map(point => [point.step, point.train_loss]))

const stepOf = checkpoint => Number(checkpoint.metadata['confab.step'])

async function clickSteps(confab, count) {
  const start = await confab.step() || 0
  for (let step = start + 1; step <= start + count; step++) {
    await confab.click('Step')
    await confab.untilStep(step)
  }
}

test('reload offers to resume the autosaved run', async () => {
  await withPage({ fragment: TINY + '&train.steps=100000' }, async confab => {
    await confab.click('Train')
    const saved = confab.page.getByText(/autosaved at step/)
    await saved.waitFor({ timeout: 60_000 })
    const step = Number((await saved.innerText()).replaceAll(',', '').match(/\d+/)[0])
    await confab.page.reload() // in the middle of training
    await confab.button('Resume').click()
    await eventually(async () => await confab.step() >= step, `step ${step} or later`, 60_000, () => confab.describe())
    const resumed = await confab.step()
    assert(await confab.loss() > 0, 'the losses did not come back')
    await confab.click('Train')
    await confab.untilStep(resumed + 5)
  })
})

test('a run is there after its first seconds', async () => {
  await withPage({ fragment: TINY + '&train.steps=100000' }, async confab => {
    await confab.click('Train')
    await confab.untilStep(1)
    await pause(3000)
    await confab.page.goto('about:blank') // which ends the page as it is
    await confab.open(TINY, null)
    await confab.button('Resume').click()
    await eventually(async () => await confab.step() >= 1, 'the run', 30_000, () => confab.describe())
  })
})

test('a browser that refuses locks keeps a run all the same', async () => {
  const worker = `navigator.locks.request = () => Promise.reject(new DOMException('no', 'SecurityError'));`
  await withPage({ fragment: TINY, worker }, async confab => {
    await clickSteps(confab, 2)
    await confab.page.getByText('autosaved at step 2').waitFor()
  })
})

test('two tabs with one run, or the same settings, lose nothing of each other', async () => {
  const trainTo = async (confab, steps) => {
    await confab.page.getByLabel('Steps', { exact: true }).fill(`${steps}`)
    await confab.click('Train')
    await confab.page.getByText(`autosaved at step ${steps}`).waitFor()
  }
  await withPage({ fragment: TINY }, async confab => {
    await trainTo(confab, 2)
    const other = new Confab(await confab.page.context().newPage(), confab.url)
    await other.open(TINY)
    await other.button('Resume').click()
    await other.untilNotice(/open in another tab, so it goes on here as a copy/)
    await other.untilStep(2)
    await trainTo(other, 5)
    await trainTo(confab, 3)
    await other.page.close()
    await confab.open(TINY)
    await confab.view('Compare')
    const rows = confab.page.getByRole('region', { name: 'Compare runs' }).locator('tbody tr')
    await eventually(async () => await rows.count() === 2, 'both runs')
    const steps = await rows.locator('.number').evaluateAll(cells => cells.map(cell => cell.textContent))
    assert(steps.includes('3') && steps.includes('5'), `${steps}`)
  })
})

test('a run that was paused is there after a reload, to the step', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await confab.click('Train')
    await confab.untilStep(7)
    await confab.click('Pause')
    await confab.page.getByText(/autosaved at step/).waitFor()
    const step = await confab.step()
    const loss = await confab.loss()
    await confab.page.reload()
    await confab.button('Resume').click()
    await eventually(async () => await confab.step() === step, `step ${step}`, 60_000, () => confab.describe())
    assert.equal(await confab.loss(), loss)
  })
})

test('Save model gives a file that Open model goes on from', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await clickSteps(confab, 3)
    const saved = await confab.saveCheckpoint()
    assert.match(saved.name, /\.safetensors$/)
    assert.equal(stepOf(saved), 3)
    assert(saved.tensors['embed.W_E'] && saved.tensors['blocks.0.attn.W_Q'], Object.keys(saved.tensors).join())
    await clickSteps(confab, 5)
    const straight = losses(await confab.saveCheckpoint())

    await confab.open()
    await confab.loadCheckpoint({ name: 'run.safetensors', mimeType: 'application/octet-stream', buffer: saved.bytes })
    await eventually(async () => await confab.step() === 3, 'step 3', 60_000, () => confab.describe())
    await clickSteps(confab, 5)
    const resumed = losses(await confab.saveCheckpoint())
    for (let step = 1; step <= 8; step++) assert.equal(resumed[step], straight[step], `step ${step}`)
  })
})

test('Export saves the files that the terminal writes for transformers and nanoGPT, and a notebook', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  try {
    await withPage({ fragment: TINY }, async confab => {
      await clickSteps(confab, 1)
      const run = (await confab.saveCheckpoint()).path
      const prompt = await confab.page.getByRole('textbox', { name: 'Prompt', exact: true }).inputValue()
      const save = async form => {
        const download = confab.page.waitForEvent('download')
        await confab.file(`Export ${form}`)
        return readFileSync(await (await download).path())
      }
      const has = (zip, name) => assert(zip.includes(readFileSync(join(folder, name))), `${name} as the terminal writes it`)
      execFileSync(CONFAB, ['export', run, '--to', 'hugging-face', join(folder, 'hf')], { stdio: 'pipe' })
      execFileSync(CONFAB, ['export', run, '--to', 'nanogpt', join(folder, 'ckpt.pt')], { stdio: 'pipe' })

      const transformers = await save('for transformers')
      for (const name of ['config.json', 'model.safetensors', 'tokenizer.json']) has(transformers, 'hf/' + name)
      assert(!transformers.includes('.ipynb'))
      const lab = await save('with a TransformerLens notebook')
      has(lab, 'hf/model.safetensors')
      assert(lab.includes('.ipynb') && lab.includes(JSON.stringify(`PROMPT = ${JSON.stringify(prompt)}`).slice(1, -1)))
      const nanogpt = await save('for nanoGPT')
      for (const name of ['ckpt.pt', 'meta.pkl']) has(nanogpt, name)
    })
    await withPage({ fragment: TINY + '&model.norm=rms&model.positions=rotary' }, async confab => {
      await clickSteps(confab, 1)
      await confab.file('Export for nanoGPT')
      await confab.untilNotice(/nanoGPT.* has no place for .*Norm/)
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('damaged checkpoints are refused with a notice, and the run stays', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await clickSteps(confab, 2)
    const { bytes } = await confab.saveCheckpoint()
    const hugeHeader = Buffer.from(bytes)
    hugeHeader.writeBigUInt64LE(1n << 60n)
    const notANumber = Buffer.from(bytes)
    notANumber.writeUInt32LE(0x7fc00000, bytes.length - 4)
    const damaged = {
      'cut off': bytes.subarray(0, bytes.length - 100),
      'a header of 2^60 bytes': hugeHeader,
      'a value that is no number': notANumber,
      'empty': Buffer.alloc(0),
      'a text': Buffer.from('not a checkpoint at all, only some words'),
    }
    for (const [what, buffer] of Object.entries(damaged)) {
      for (const dismiss of await confab.page.getByRole('button', { name: 'Dismiss' }).all()) await dismiss.click()
      await confab.loadCheckpoint({ name: 'run.safetensors', mimeType: 'application/octet-stream', buffer })
      await eventually(async () => await confab.text('notice') !== '', `a notice for ${what}`, 30_000)
      assert.equal(await confab.step(), 2, what)
    }
    await clickSteps(confab, 1)
  })
})

test('a model from elsewhere is loaded from its files, looked into and writes', async () => {
  const file = name => join(fileURLToPath(new URL('../reference/import/gpt2/', import.meta.url)), name)
  const files = ['config.json', 'model.safetensors', 'tokenizer.json'].map(file)
  await withPage({ fragment: TINY }, async confab => {
    await clickSteps(confab, 1)
    await confab.loadCheckpoint(files.slice(1))
    await confab.untilNotice(/config\.json/)
    assert.equal(await confab.step(), 1, 'the run is still there')
    await confab.loadCheckpoint(files)
    const prompt = confab.page.getByRole('textbox', { name: 'Prompt' })
    await eventually(async () => await confab.step() === 0, 'the model', 30_000, () => confab.describe())
    await prompt.fill('the cat sat')
    await confab.tab('Logit lens').click()
    await confab.page.getByRole('heading', { name: 'The likeliest next character at each stage' }).waitFor()
    await confab.tab('Probabilities').click()
    const given = confab.page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option')
    await eventually(async () => (await given.allInnerTexts()).join() === '·cat,·sat,next', 'tokens, not characters')
    await confab.click('Generate')
    const written = confab.page.getByRole('listbox', { name: 'Output tokens' }).getByRole('option')
    await eventually(async () => await written.count() > 3, 'what it writes')
    await confab.click('Train')
    await confab.untilNotice(/brought nothing to train on/)
  })
})

test('a character that several tokens spell is written and read whole', async () => {
  await withPage({ fragment: TINY }, async confab => {
    await clickSteps(confab, 1)
    // The bytes of 🦑 as GPT-2 spells them.
    await confab.loadCheckpoint(cycle(['!', 'ð', 'Ł', '¦', 'ĳ', '.']))
    await eventually(async () => await confab.step() === 0, 'the model', 30_000, () => confab.describe())
    await confab.page.getByLabel('Temperature').fill('0')
    for (const [prompt, text] of [['!', '🦑.!🦑.'], ['🦑', '.!🦑.']]) {
      await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(prompt)
      await confab.click('Generate')
      await eventually(async () => (await confab.text('sample')).includes(prompt + text), `${prompt}${text}`, 30_000,
        async () => await confab.text('sample'))
      // A sample may end within a character.
      assert(!(await confab.text('sample')).slice(0, -1).includes('\u{fffd}'))
    }
  })
})

test('a checkpoint of the page goes on at the terminal', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  t.after(() => rmSync(folder, { recursive: true }))
  await withPage({ fragment: TINY + '&train.steps=8' }, async confab => {
    await clickSteps(confab, 3)
    const { path } = await confab.saveCheckpoint()
    await clickSteps(confab, 5)
    const page = losses(await confab.saveCheckpoint())

    const out = join(folder, 'out.safetensors')
    await promisify(execFile)(CONFAB, ['train', '--device', 'cpu', '--resume', path, '--out', out])
    compare(losses(readCheckpoint(readFileSync(out))), page, 4)
  })
})

test('a checkpoint of the terminal goes on in the page', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const first = join(folder, 'first.safetensors')
  const second = join(folder, 'second.safetensors')
  await trainUntilInterrupted(['--link', `#${TINY}&train.steps=1000000`, '--out', first])
  await trainUntilInterrupted(['--resume', first, '--out', second])
  const start = readCheckpoint(readFileSync(first))
  const terminal = losses(readCheckpoint(readFileSync(second)))

  await withPage({}, async confab => {
    await confab.loadCheckpoint(first)
    await eventually(async () => await confab.step() === stepOf(start), `step ${stepOf(start)}`, 60_000, () => confab.describe())
    await clickSteps(confab, 5)
    compare(losses(await confab.saveCheckpoint()), terminal, stepOf(start) + 1)
  })
})

/** Trains at the terminal for a second past its first report, then stops it as Ctrl-C does. */
async function trainUntilInterrupted(options) {
  const child = spawn(CONFAB, ['train', '--device', 'cpu', ...options], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr.on('data', data => { said += data })
  const ended = new Promise(resolve => child.on('close', resolve))
  await eventually(() => /^step \d+/m.test(said) || child.exitCode !== null, 'a first step at the terminal')
  await pause(1000)
  child.kill('SIGINT')
  assert.equal(await ended, 0, said)
}

/** The same five losses from step `from` on, to 1e-4. */
function compare(got, wanted, from) {
  for (let step = from; step < from + 5; step++) {
    assert(Math.abs(got[step] - wanted[step]) < 1e-4, `step ${step}: ${got[step]} where ${wanted[step]} was wanted`)
  }
}
