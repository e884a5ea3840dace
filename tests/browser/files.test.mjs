// Files of others: what they hold is read as the terminal reads it, and what cannot be read is named.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { CONFAB, TINY, eventually, withPage } from './harness.mjs'
import { BYTES, binary, cycle, json, spelledBytes } from './models.mjs'

const SMALL_TEXT = 'task.kind=text&model.n_layers=1&model.n_heads=2&model.d_model=8&model.context=64&train.batch=4&train.val_every=5&train.val_batches=1'

/** Puts the notices away, one after the other. */
async function dismiss(confab) {
  const button = confab.button('Dismiss')
  while (await button.count()) await button.click()
}

/** The prompt's tokens as the page shows them, without the first, which nothing predicts. */
async function tokens(confab, prompt) {
  await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(prompt)
  const shown = confab.page.getByRole('listbox', { name: 'Prompt tokens' }).getByRole('option')
  return async () => (await shown.allTextContents()).slice(0, -1)
}

/** A token's text with what cannot be seen made visible. */
const visible = token => token.replaceAll('\n', '⏎').replaceAll(' ', '·').replaceAll('\t', '⇥').replaceAll('\r', '␍')

const WORDS = {
  llama3: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
  qwen: "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
}

/** Byte-level pairs of a few letters, with the cuts of a published model. */
function ofBytes(settings, model = {}) {
  const merges = ['t h', 'th e', 'Ġ the', 'Ġ Ġ', '1 2', '12 3', "' s", "' S", 'Ã ©', 'Ċ Ċ', 'x y', 'a Ġ', '! Ċ']
  const tokens = [...spelledBytes(), ...merges.map(merge => merge.replace(' ', '')), '<|x|>']
  const added = {
    id: tokens.length - 1, content: '<|x|>', single_word: false, lstrip: false, rstrip: false, normalized: false,
    special: true,
  }
  return cycle(tokens, { added_tokens: [added], ...settings }, { merges, ...model })
}

/** Llama 2's pairs of characters, with a few of the bytes that it falls back to. */
function ofCharacters() {
  const merges = ['t h', 'th e', '▁ the', '▁ ▁', '1 2']
  const tokens = [...new Set('▁thesTHES\'1234xyz!aivr\n'), ...merges.map(merge => merge.replace(' ', '')),
    '<unk>', '<0xC3>', '<0xA9>', '<0xF0>', '<0x9F>', '<0xA6>', '<0x91>']
  const replace = { type: 'Replace', pattern: { String: ' ' }, content: '▁' }
  return cycle(tokens, {
    normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }, replace] },
    pre_tokenizer: null,
    decoder: { type: 'Sequence', decoders: [{ ...replace, pattern: { String: '▁' }, content: ' ' }, { type: 'ByteFallback' }, { type: 'Fuse' }] },
  }, { merges, unk_token: '<unk>', fuse_unk: true, byte_fallback: true })
}

const split = pattern => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false },
    { ...BYTES, use_regex: false },
  ],
})

test('a prompt has the tokens that it has at the terminal', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'confab-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const digits = { type: 'Sequence', pretokenizers: [{ type: 'Digits', individual_digits: true }, BYTES] }
  const models = {
    'GPT-2': ofBytes({}),
    'Llama 3': ofBytes({ pre_tokenizer: split(WORDS.llama3) }, { ignore_merges: true }),
    'Qwen': ofBytes({ pre_tokenizer: split(WORDS.qwen), normalizer: { type: 'NFC' } }),
    'SmolLM': ofBytes({ pre_tokenizer: digits }),
    'Llama 2': ofCharacters(),
  }
  const prompts = [
    "the the's THE'S xy'ſ 1234 x1y!\n\nthe  \n  thé", 'é e\u0301 🦑\u2028\ufeff\u0085 ½²', 'a<|x|>the<|x', '   ',
  ]
  await withPage({ fragment: TINY }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.tab('Probabilities').click()
    for (const [name, files] of Object.entries(models)) {
      for (const file of files) writeFileSync(join(folder, file.name), file.buffer)
      const model = join(folder, 'model.st')
      execFileSync(CONFAB, ['import', ...files.map(file => join(folder, file.name)), '--out', model])
      await confab.loadCheckpoint(files)
      for (const prompt of prompts) {
        const trace = join(folder, 'trace.json')
        execFileSync(CONFAB, ['inspect', model, '--attention', trace, '--prompt', prompt, '--device', 'cpu'])
        const wanted = JSON.parse(readFileSync(trace)).tokens.slice(1).map(visible)
        const shown = await tokens(confab, prompt)
        await eventually(async () => (await shown()).join('|') === wanted.join('|'), `${name}: ${wanted.join('|')}`, 30_000,
          async () => (await shown()).join('|'))
      }
      assert(await confab.page.getByText('Tokens are approximate here').isHidden(), name)
    }
    // An expression of no published model: GPT-2's words stand in, which is said, and are merged as the file says.
    await confab.loadCheckpoint(ofBytes({ pre_tokenizer: split('\\p{^L}+|\\p{L}+') }))
    await confab.page.getByText('Tokens are approximate here').waitFor()
    const shown = await tokens(confab, 'xthe the')
    await eventually(async () => (await shown()).join('|') === 'the|·the', 'merged tokens', 30_000, async () => (await shown()).join('|'))
  })
})

test('what is no model, or lacks a part, is named, and the run stays', async () => {
  const whole = cycle(['a', 'b', '!'])
  const [config, tokenizer, weights] = whole
  const index = { weight_map: { 'wte.weight': 'model-00001-of-00002.safetensors', 'wpe.weight': 'model-00002-of-00002.safetensors' } }
  const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 5\n'
  const bomb = {
    type: 'Sequence',
    normalizers: Array(40).fill({ type: 'Replace', pattern: { String: 'a' }, content: 'aa' }),
  }
  const ofLaterKind = { pre_tokenizer: { type: 'ByteLevelV2' } }
  const named = [
    [[config, tokenizer, binary('model.safetensors', pointer)], /Git LFS/],
    [[config, tokenizer, binary('pytorch_model.bin', 'PK\x03\x04 and so on')], /PyTorch.*confab import/s],
    [[config, tokenizer, binary('model.gguf', 'GGUF\x03')], /GGUF/],
    [[config, tokenizer, json('model.safetensors.index.json', index), { ...weights, name: 'model-00001-of-00002.safetensors' }], /model-00002-of-00002/],
    [[config, tokenizer], /safetensors/],
    [cycle(['a', 'b', '!'], { normalizer: bomb }), /`normalizer`.*thousands/],
    [cycle(['a', 'b', '!'], ofLaterKind), /ByteLevelV2/],
    [[config, weights, json('vocab.json', { a: 0, b: 1, '!': 2 })], /vocab\.json is given without merges\.txt/],
  ]
  await withPage({ fragment: TINY }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    for (const [files, pattern] of named) {
      await dismiss(confab)
      await confab.loadCheckpoint(files)
      await confab.untilNotice(pattern, 10_000)
      assert.equal(await confab.step(), 1, String(pattern))
    }
    // Settings of a batch are not those of a prompt, and a token without a row is dropped.
    await dismiss(confab)
    await confab.loadCheckpoint(cycle(['a', 'b', '!'], {
      padding: { strategy: { Fixed: 1e12 }, direction: 'Left', pad_to_multiple_of: null, pad_id: 900, pad_type_id: 0, pad_token: '<pad>' },
      truncation: { direction: 'Right', max_length: 2, strategy: 'LongestFirst', stride: 5 },
      added_tokens: [{ id: 3, content: '[PAD]', single_word: false, lstrip: false, rstrip: false, normalized: false, special: true }],
    }))
    await confab.untilNotice(/\[PAD\]/)
    await confab.tab('Probabilities').click()
    const shown = await tokens(confab, 'aab!')
    await eventually(async () => (await shown()).join('|') === 'a|b|!', 'four tokens', 10_000, async () => (await shown()).join('|'))
    await confab.page.getByRole('textbox', { name: 'Prompt' }).fill('ab')
    await confab.click('Generate')
    await eventually(async () => await confab.text('sample') !== '', 'a sample')
    await dismiss(confab)
    for (const prompt of ['', 'a"']) {
      await confab.page.getByRole('textbox', { name: 'Prompt' }).fill(prompt)
      await confab.click('Generate')
      await confab.untilNotice(prompt ? /This model has never seen “"”/ : /The prompt is empty/)
      assert.equal(await confab.page.getByRole('button', { name: 'Dismiss' }).count(), 1, 'one notice')
      assert.equal(await confab.text('sample'), '', 'the last sample was of another prompt')
      await dismiss(confab)
    }
  })
})

test('an imported model is trained on in its own tokens', async () => {
  await withPage({ fragment: SMALL_TEXT }, async confab => {
    const file = binary('mine.txt', 'the thing that they thought\n'.repeat(30))
    await confab.page.getByLabel('Text file').setInputFiles(file)
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.loadCheckpoint(ofBytes({}))
    const width = confab.page.getByLabel('Width (d_model)')
    await eventually(async () => await width.inputValue() === '270', 'the model', 30_000, () => confab.describe())
    await confab.combobox('Task').selectOption('text')
    await confab.page.getByLabel('Text file').setInputFiles(file)
    const text = confab.page.getByRole('textbox', { name: 'Text', exact: true })
    await eventually(async () => (await text.inputValue()).startsWith('the thing'), 'the text')
    await confab.model('Train from these weights')
    await confab.untilStep(1)
    await confab.click('Pause')
    const { metadata } = await confab.saveCheckpoint()
    assert.equal(JSON.parse(metadata['confab.config']).task.kind, 'text')
    assert(metadata['confab.tokenizer'].includes('Ġthe'), 'the tokens are still those of the model')
  })
})

test('a text is read in any encoding, and records in any of their forms', async () => {
  const lines = 'row 0: kite\nrow 1: hill\n'.repeat(20)
  const pairs = Array.from({ length: 12 }, (_, number) => [`after ${number}?`, String(number + 1)])
  const read = [
    ['utf16.txt', Buffer.from('\ufeff' + lines, 'utf16le'), /UTF-16/, 'row 0: k'],
    ['bare.txt', Buffer.from(lines, 'utf16le'), /UTF-16/, 'row 0: k'],
    ['cr.txt', lines.replaceAll('\n', '\r'), /line ends \(CR\)/, 'row 0: k'],
    ['replacement.txt', 'one \ufffd mark\n'.repeat(40), null, 'one \ufffd'],
    ['nul.txt', 'ab\0c\fd\n'.repeat(40), null, 'ab␀c␌d⏎'],
    ['latex.txt', 'path C:\\new\n'.repeat(40), null, 'C:\\new'],
    ['qa.jsonl', pairs.map(([question, answer]) => JSON.stringify({ question, answer })).join('\n'), null, '{B}after 3?: '],
    ['alpaca.json', JSON.stringify(pairs.map(([instruction, output]) => ({ instruction, input: '', output }))), null, '{B}after 3?: '],
    ['input.jsonl', pairs.map(([, output], number) => JSON.stringify({ instruction: 'Add one.', input: String(number), output })).join('\n'), null, '{B}Add one. (3): '],
  ]
  await withPage({ fragment: SMALL_TEXT }, async confab => {
    await confab.tab('Probabilities').click()
    for (const [name, content, notice, prompt] of read) {
      await dismiss(confab)
      await confab.page.getByLabel('Text file').setInputFiles(binary(name, content))
      if (notice) await confab.untilNotice(notice)
      await confab.click('New run', 'Step')
      await confab.untilStep(1)
      const shown = await tokens(confab, prompt.replace('␀', '\0').replace('␌', '\f').replace('⏎', '\n'))
      const wanted = [...visible(prompt)].slice(1).join('|')
      await eventually(async () => (await shown()).join('|') === wanted, `${name}: ${wanted}`, 10_000, async () => `${await shown()}; ${await confab.describe()}`)
    }
    await dismiss(confab)
    await confab.page.getByLabel('Text file').setInputFiles(binary('bad.jsonl', '{"question": "a?", "answer": "b"}\n{"question": 3}\n'))
    await confab.click('Step')
    await confab.untilNotice(/line 2/)
  })
})

test('memories that do not fit a model are refused by what they are', async () => {
  const small = 'task.kind=phone&task.phone.lines=1&task.phone.names=8&model.context=96&model.d_model=8&model.n_layers=1&model.n_heads=2&train.batch=4'
  await withPage({ fragment: small + '&model.memory.kind=product-key&model.memory.slots=64' }, async confab => {
    await confab.click('Step')
    await confab.untilStep(1)
    await confab.settings()
    await confab.page.getByRole('textbox', { name: 'Slots' }).fill('100')
    await confab.model('Train from these weights')
    await confab.untilNotice(/slots/i)
    assert.equal(await confab.step(), 1)
  })
})

/** Drags files over `target` and lets them go there, as from the desktop. */
async function drop(confab, target, files) {
  const dataTransfer = await confab.page.evaluateHandle(async files => {
    const transfer = new DataTransfer()
    for (const { name, url } of files) transfer.items.add(new File([await (await fetch(url)).blob()], name))
    return transfer
  }, files.map(({ name, buffer }) => ({ name, url: `data:application/octet-stream;base64,${Buffer.from(buffer).toString('base64')}` })))
  await target.dispatchEvent('dragover', { dataTransfer })
  const hint = confab.page.getByText(/^Drop a model anywhere/)
  await hint.waitFor()
  await target.dispatchEvent('drop', { dataTransfer })
  await hint.waitFor({ state: 'detached' })
}

test('dropped files are opened as their choosers open them, and others are named', async () => {
  await withPage({ fragment: SMALL_TEXT, context: { bypassCSP: true } }, async confab => {
    const text = confab.page.getByRole('textbox', { name: 'Text', exact: true })
    for (const name of ['own.txt', 'own.md', 'own.csv', 'own.jsonl']) {
      await drop(confab, text, [binary(name, `${name}: one line\n`.repeat(40))])
      await eventually(async () => (await text.inputValue()).startsWith(name), name)
    }
    await confab.click('Step')
    await confab.untilStep(1)
    const { bytes, name } = await confab.saveCheckpoint()
    await confab.combobox('Task').selectOption('phone')
    await drop(confab, confab.page.getByRole('region', { name: 'Loss' }), [binary(name, bytes)])
    await eventually(async () => await confab.combobox('Task').inputValue() === 'text', 'the model that was saved')
    await drop(confab, confab.page.getByRole('region', { name: 'Loss' }), [binary('cat.png', 'no model')])
    await confab.untilNotice(/cat\.png.*Drop a model/)
    await drop(confab, text, [binary('a.txt', 'a'), binary('b.txt', 'b')])
    await confab.untilNotice(/a\.txt, b\.txt.*one text/)
  })
})
