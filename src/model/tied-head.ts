import { BcodError } from '../errors.js'
import type { TensorReader } from '../safetensors/reader.js'
import type { Architecture } from './architecture.js'
import type { ModelTensor } from './parameters.js'

export const EMBEDDING = 'model.embed_tokens.weight'
export const HEAD = 'lm_head.weight'

/** How input embedding and output layer of a model are to be read. */
export interface TiedHead {
  readonly architecture: Architecture
  /** What the operator should know of it; null for nothing. */
  readonly note: string | null
}

/**
 * Whether a model that is tied in its config is tied in its files, as transformers 5 decides it
 * (`PreTrainedModel.tie_weights`): if both tensors are there and differ, they are two.
 */
export function resolveTies(architecture: Architecture, reader: TensorReader): TiedHead {
  const both = reader.has(EMBEDDING) && reader.has(HEAD)
  if (!architecture.tiedHead || !both || equal(reader)) return { architecture, note: null }
  const note = `config.json ties the output layer to the input embedding, but ${HEAD} is another in the files: it is read, as transformers does`
  return { architecture: { ...architecture, tiedHead: false }, note }
}

/**
 * The name under which the files hold a tensor of the model; of a tied one either may be there.
 * @throws MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE
 */
export function requireTensor(tensor: ModelTensor, { tiedHead }: Architecture, reader: TensorReader): string {
  const { name } = tensor
  const stored = tiedHead && name === EMBEDDING && !reader.has(EMBEDDING) && reader.has(HEAD) ? HEAD : name
  if (name === HEAD && !reader.has(HEAD)) throw headless(reader)
  const { shape } = reader.info(stored)
  if (shape.join() === tensor.shape.join()) return stored
  throw new BcodError('MODEL_TENSOR_SHAPE', `${stored} is [${shape}], config.json asks for [${tensor.shape}]`, {
    place: reader.place,
  })
}

const headless = (reader: TensorReader): BcodError =>
  new BcodError('MODEL_TENSOR_MISSING', `no tensor ${HEAD}, and config.json does not tie it to the embedding`, {
    place: reader.place,
    remedy: 'Fetch all shards; where the model is tied, set tie_word_embeddings to true in its config.json.',
  })

function equal(reader: TensorReader): boolean {
  const [embedding, head] = [reader.info(EMBEDDING), reader.info(HEAD)]
  if (embedding.shape.join() !== head.shape.join()) return false
  if (embedding.dtype === head.dtype) return Buffer.compare(reader.bytes(EMBEDDING), reader.bytes(HEAD)) === 0
  const values = reader.floats(HEAD)
  return reader.floats(EMBEDDING).every((value, index) => value === values[index])
}
