import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import type { JsonFile } from '../files/read-json.js'
import { parseArchitecture } from './architecture.js'
import { modelTensors } from './parameters.js'
import { seededRandom } from './random.js'

/**
 * Writes a model directory with random bf16 weights: matrices uniform within ±0.035 (σ = 0.02), norms 1.
 * @param config  its `config.json`
 */
export function writeRandomModel(directory: string, config: JsonFile): void {
  writeFileSync(join(directory, 'config.json'), JSON.stringify(config))
  const tensors = modelTensors(parseArchitecture(config, directory))
  let begin = 0
  const entries = tensors.map(({ name, shape: dimensions }) => {
    const end = begin + 2 * dimensions.reduce((product, size) => product * size, 1)
    const entry = [name, { dtype: 'BF16', shape: dimensions, data_offsets: [begin, end] }] as const
    begin = end
    return entry
  })
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)))
  const file = openSync(join(directory, 'model.safetensors'), 'w')
  try {
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(header.length))
    writeSync(file, length)
    writeSync(file, header)
    const noise = randomBfloat16(NOISE)
    for (const { shape: dimensions } of tensors) {
      const isNorm = dimensions.length === 1
      const size = dimensions.reduce((product, dimension) => product * dimension, 1)
      writeAll(file, isNorm ? new Uint16Array(size).fill(ONE) : noise, size)
    }
  } finally {
    closeSync(file)
  }
}

/** bf16 of 1. */
const ONE = 0x3f80

/** How many numbers are drawn; larger matrices repeat them. A prime, so that rows do not fall on each other. */
const NOISE = 1_048_573

function randomBfloat16(count: number): Uint16Array {
  const random = seededRandom(0, 'bench')
  const values = Float32Array.from({ length: count }, () => (2 * random() - 1) * 0.035)
  return Uint16Array.from(new Uint32Array(values.buffer), (bits) => bits >>> 16)
}

/** Writes `size` numbers out of `values`, from its start again where it ends. */
function writeAll(file: number, values: Uint16Array, size: number): void {
  for (let done = 0; done < size; ) {
    const piece = values.subarray(0, size - done)
    const bytes = new Uint8Array(piece.buffer, 0, piece.byteLength)
    for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written)
    done += piece.length
  }
}
