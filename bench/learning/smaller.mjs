// A smaller model out of a trained one: its first layers, and of its vocabulary the tokens in use. Less work, and no
// longer the same model: what is measured on it is named so.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openModelTensors } from '../../dist/safetensors/directory.js'
import { writeSafetensors } from '../../dist/safetensors/writer.js'

/** Matrices with a row for each token. */
const BY_TOKEN = ['model.embed_tokens.weight', 'lm_head.weight']

/**
 * Writes it into `directory`, in f32 and without a tokenizer.
 *
 * @param layers  how many of the first; null: all
 * @param tokens  ids that are kept, in this order; null: all
 */
export function writeSmaller(model, directory, { layers, tokens }) {
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  const depth = layers ?? config.num_hidden_layers
  if (!(depth > 0 && depth <= config.num_hidden_layers))
    throw new Error(`the model has ${config.num_hidden_layers} layers`)
  const reader = openModelTensors(model)
  const kept = reader.names.filter((name) => Number(/^model\.layers\.(\d+)\./.exec(name)?.[1] ?? 0) < depth)
  const tensors = kept.map((name) => {
    const [data, shape] = [reader.floats(name), reader.info(name).shape]
    return [name, tokens !== null && BY_TOKEN.includes(name) ? rowsOf(data, shape, tokens) : { data, shape }]
  })
  reader.close()
  mkdirSync(directory, { recursive: true })
  writeSafetensors(join(directory, 'model.safetensors'), new Map(tensors), { format: 'pt' })
  const { bos_token_id: _bos, eos_token_id: _eos, pad_token_id: _pad, ...others } = config
  const smaller = { ...others, num_hidden_layers: depth, vocab_size: tokens?.length ?? config.vocab_size }
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...smaller, dtype: 'float32' }))
}

function rowsOf(data, [, width], rows) {
  const out = new Float32Array(rows.length * width)
  for (const [i, row] of rows.entries()) out.set(data.subarray(row * width, (row + 1) * width), i * width)
  return { data: out, shape: [rows.length, width] }
}

/** The ids that occur, ascending. @param events  of token ids */
export function tokensInUse(events) {
  const ids = new Set(events.flatMap(({ promptTokens, completionTokens }) => [...promptTokens, ...completionTokens]))
  return [...ids].sort((a, b) => a - b)
}

/** The same events by their tokens' places among those that are kept. */
export function renumber(events, tokens) {
  const places = new Map(tokens.map((id, place) => [id, place]))
  const renumbered = (ids) => ids.map((id) => places.get(id))
  return events.map((event) => ({
    ...event,
    promptTokens: renumbered(event.promptTokens),
    completionTokens: renumbered(event.completionTokens),
  }))
}
