// Files of small models, as Hugging Face lays them out.

/** GPT-2's split of a text, and its spelling of bytes. */
export const BYTES = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }

/** The characters that spell the bytes, in their order. */
export function spelledBytes() {
  const isSeen = byte => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174
  let unseen = 256
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(isSeen(byte) ? byte : unseen++))
}

export const json = (name, value) =>
  ({ name, mimeType: 'application/json', buffer: Buffer.from(JSON.stringify(value)) })

export const binary = (name, buffer) => ({ name, mimeType: 'application/octet-stream', buffer: Buffer.from(buffer) })

/** `config.json`, `tokenizer.json` and `model.safetensors` of a GPT-2 that writes the token after each of `tokens`, and
 * the first after the last. `settings` are those of the tokenizer that differ from GPT-2's, `model` those of its model. */
export function cycle(tokens, settings = {}, model = {}) {
  const size = tokens.length
  const filled = (shape, value = () => 0) =>
    ({ shape, data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, index) => value(index)) })
  const row = index => Math.floor(index / size)
  const weights = {
    'wte.weight': filled([size, size], index => row(index) === index % size ? 10 : 0),
    'wpe.weight': filled([128, size]),
    'lm_head.weight': filled([size, size], index => row(index) === (index % size + 1) % size ? 5 : 0),
    'h.0.attn.c_attn.weight': filled([size, 3 * size]),
    'h.0.attn.c_attn.bias': filled([3 * size]),
    'h.0.attn.c_proj.weight': filled([size, size]),
    'h.0.attn.c_proj.bias': filled([size]),
    'h.0.mlp.c_fc.weight': filled([size, 4 * size]),
    'h.0.mlp.c_fc.bias': filled([4 * size]),
    'h.0.mlp.c_proj.weight': filled([4 * size, size]),
    'h.0.mlp.c_proj.bias': filled([size]),
  }
  for (const norm of ['h.0.ln_1', 'h.0.ln_2', 'ln_f']) {
    weights[`${norm}.weight`] = filled([size], () => 1)
    weights[`${norm}.bias`] = filled([size])
  }
  const tokenizer = {
    version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null, pre_tokenizer: BYTES,
    post_processor: null, decoder: BYTES,
    ...settings,
    model: { type: 'BPE', vocab: Object.fromEntries(tokens.map((token, id) => [token, id])), merges: [], ...model },
  }
  const config = {
    model_type: 'gpt2', n_layer: 1, n_head: 1, n_embd: size, n_positions: 128, vocab_size: size,
    tie_word_embeddings: false,
  }
  return [
    json('config.json', config),
    json('tokenizer.json', tokenizer),
    binary('model.safetensors', safetensors(weights)),
  ]
}

/** A safetensors file of tensors, `{ shape, data }` by name. */
function safetensors(tensors) {
  let end = 0
  const header = Object.fromEntries(Object.entries(tensors).map(([name, { shape, data }]) =>
    [name, { dtype: 'F32', shape, data_offsets: [end, end += data.byteLength] }]))
  const text = Buffer.from(JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text, ...Object.values(tensors).map(({ data }) => Buffer.from(data.buffer))])
}
