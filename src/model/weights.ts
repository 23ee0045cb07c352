import { join } from 'node:path'
import type { Session, Variable } from '../engine/index.js'
import { BcodError } from '../errors.js'
import type { TensorReader } from './safetensors.js'
import { openModelTensors } from './safetensors-directory.js'

/** Bytes of weights that one call carries to the device: few calls, and no second copy of a whole large model. */
const BYTES_AT_ONCE = 512 * 2 ** 20

/**
 * Copies the weights of a model directory into the session's variables.
 * @throws MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE, SAFETENSORS_INVALID
 */
export function loadWeights(directory: string, variables: readonly Variable[], session: Session): void {
  const reader = openModelTensors(directory)
  try {
    let group: Record<string, Uint8Array | Float32Array> = {}
    let bytes = 0
    const flush = () => {
      if (bytes > 0) session.write(group)
      group = {}
      bytes = 0
    }
    for (const variable of variables) {
      const value = readWeight(reader, variable, directory)
      if (bytes + value.byteLength > BYTES_AT_ONCE) flush()
      group[variable.name] = value
      bytes += value.byteLength
    }
    flush()
  } finally {
    reader.close()
  }
}

function readWeight(reader: TensorReader, variable: Variable, directory: string): Uint8Array | Float32Array {
  const { shape, dtype } = reader.info(variable.name)
  if (shape.join() !== variable.shape.join())
    throw new BcodError(
      'MODEL_TENSOR_SHAPE',
      `${variable.name} is [${shape}], config.json asks for [${variable.shape}]`,
      {
        place: join(directory, 'config.json'),
      },
    )
  if (variable.dtype !== 'bfloat16') return reader.floats(variable.name)
  return dtype === 'BF16' ? reader.bytes(variable.name) : toBfloat16(reader.floats(variable.name))
}

/** Rounds f32 to bfloat16, to nearest, ties to even; two little-endian bytes each. */
export function toBfloat16(values: Float32Array): Uint8Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
  const result = new Uint16Array(values.length)
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i] as number
    const notANumber = (word & 0x7fffffff) > 0x7f800000
    result[i] = notANumber ? (word >>> 16) | 0x40 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
  }
  return new Uint8Array(result.buffer)
}
