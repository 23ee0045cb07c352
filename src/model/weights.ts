import type { Session } from '../engine/index.js'
import type { TensorReader } from '../safetensors/reader.js'
import type { Architecture } from './architecture.js'
import type { WeightVariable } from './parameters.js'
import { requireTensor } from './tied-head.js'

/** Bytes of weights that one call carries to the device: few calls, and no second copy of a whole large model. */
const BYTES_AT_ONCE = 512 * 2 ** 20

/**
 * Copies the weights of a model into the session's variables.
 *
 * @param architecture  with its ties resolved
 * @throws MODEL_TENSOR_MISSING, MODEL_TENSOR_SHAPE, SAFETENSORS_INVALID
 */
export function loadWeights(
  architecture: Architecture,
  reader: TensorReader,
  variables: readonly WeightVariable[],
  session: Session,
): void {
  let group: Record<string, Uint8Array> = {}
  let bytes = 0
  const flush = () => {
    if (bytes > 0) session.write(group)
    group = {}
    bytes = 0
  }
  for (const variable of variables) {
    const value = readVariable(architecture, reader, variable)
    if (bytes + value.byteLength > BYTES_AT_ONCE) flush()
    group[variable.name] = value
    bytes += value.byteLength
  }
  flush()
}

/** The bytes of a variable, put together from its tensors. */
function readVariable(
  architecture: Architecture,
  reader: TensorReader,
  { shape, dtype, parts }: WeightVariable,
): Uint8Array {
  const width = dtype === 'bfloat16' ? 2 : 4
  const bytes = new Uint8Array(width * shape.reduce((product, size) => product * size, 1))
  let offset = 0
  for (const part of parts) {
    if ('zeros' in part) offset += width * part.zeros
    else {
      const value = readTensor(reader, requireTensor(part, architecture, reader), dtype === 'bfloat16')
      bytes.set(value, offset)
      offset += value.length
    }
  }
  return bytes
}

function readTensor(reader: TensorReader, name: string, low: boolean): Uint8Array {
  if (low) return reader.info(name).dtype === 'BF16' ? reader.bytes(name) : toBfloat16(reader.floats(name))
  const floats = reader.floats(name)
  return new Uint8Array(floats.buffer, floats.byteOffset, floats.byteLength)
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
