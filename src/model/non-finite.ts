import type { Dtype } from '../safetensors/header.js'
import type { TensorReader } from '../safetensors/reader.js'
import type { Architecture } from './architecture.js'
import { modelTensors } from './parameters.js'
import { EMBEDDING, requireTensor } from './tied-head.js'

/** A weight that is NaN or infinite. */
export interface NonFiniteWeight {
  readonly tensor: string
  /** The token whose embedding it is part of, if no other token is concerned; else null. */
  readonly token: number | null
}

/**
 * The first weight that is not finite, one that concerns every token before one that concerns a single token; null where
 * all are finite. Reads every weight: about a second
 * for a gigabyte that is in memory, else as long as the disk takes.
 *
 * @param architecture  with its ties resolved
 */
export function findNonFiniteWeight(architecture: Architecture, reader: TensorReader): NonFiniteWeight | null {
  let ofToken: NonFiniteWeight | null = null
  for (const tensor of modelTensors(architecture)) {
    const name = requireTensor(tensor, architecture, reader)
    const index = firstNonFinite(reader.bytes(name), reader.info(name).dtype)
    if (index === -1) continue
    // a row of a tied embedding is a logit of every position
    const own = tensor.name === EMBEDDING && !architecture.tiedHead
    if (!own) return { tensor: name, token: null }
    ofToken = { tensor: name, token: Math.floor(index / architecture.hiddenSize) }
  }
  return ofToken
}

export const describeNonFinite = ({ tensor, token }: NonFiniteWeight): string =>
  token === null ? `${tensor} holds NaN or infinity` : `${tensor} holds NaN or infinity for token ${token}`

/** By the exponent, all of whose bits are set in what is not finite. */
function firstNonFinite(bytes: Uint8Array<ArrayBuffer>, dtype: Dtype): number {
  const { buffer, byteOffset, byteLength } = bytes
  switch (dtype) {
    case 'F32':
      return findMasked(new Uint32Array(buffer, byteOffset, byteLength / 4), 0x7f800000)
    case 'BF16':
      return findMasked(new Uint16Array(buffer, byteOffset, byteLength / 2), 0x7f80)
    case 'F16':
      return findMasked(new Uint16Array(buffer, byteOffset, byteLength / 2), 0x7c00)
    case 'F64':
      return new Float64Array(buffer, byteOffset, byteLength / 8).findIndex((value) => !Number.isFinite(value))
    default:
      return -1
  }
}

function findMasked(words: Uint16Array | Uint32Array, mask: number): number {
  for (let i = 0; i < words.length; i++) if (((words[i] as number) & mask) === mask) return i
  return -1
}
