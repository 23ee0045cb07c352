import { join } from 'node:path'
import type { Session, Variable } from '../engine/index.js'
import { BcodError } from '../errors.js'
import { openModelTensors } from './safetensors-directory.js'

/**
 * Copies the weights of a model directory into the session's variables, one tensor at a time.
 * @throws MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE, SAFETENSORS_INVALID
 */
export function loadWeights(directory: string, variables: readonly Variable[], session: Session): void {
  const reader = openModelTensors(directory)
  try {
    for (const variable of variables) {
      const { shape, dtype } = reader.info(variable.name)
      if (shape.length !== variable.shape.length || shape.some((size, i) => size !== variable.shape[i]))
        throw new BcodError('MODEL_TENSOR_SHAPE', `${variable.name} is [${shape}], config.json asks for [${variable.shape}]`, {
          place: join(directory, 'config.json'),
        })
      if (variable.dtype === 'bfloat16')
        session.write(variable.name, dtype === 'BF16' ? reader.bytes(variable.name) : toBfloat16(reader.floats(variable.name)))
      else session.write(variable.name, reader.floats(variable.name))
    }
  } finally {
    reader.close()
  }
}

/** Rounds f32 to bfloat16, to nearest, ties to even; two little-endian bytes each. */
export function toBfloat16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const result = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number
    const isNaN = (word & 0x7fffffff) > 0x7f800000
    result[i] = isNaN ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return new Uint8Array(result.buffer)
}
