import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readArchitecture } from '../../src/model/architecture.js'
import { modelTensors } from '../../src/model/parameters.js'
import { seededRandom } from '../../src/model/random.js'

const WIDTHS = { F32: 4, F16: 2, BF16: 2 } as const
/** Bits of the largest exponent: numbers that have it are none. */
const EXPONENTS = { F32: 0x7f800000, F16: 0x7c00, BF16: 0x7f80 } as const

/**
 * Writes a model of some architecture with random bits of a type in two shards, numbers too small for a full precision
 * among them, but none that is infinite or no number.
 *
 * @param renamed  other names of some of its tensors
 */
export function storeModel(
  directory: string,
  config: string,
  type: keyof typeof WIDTHS,
  renamed: Readonly<Record<string, string>> = {},
): string {
  mkdirSync(directory, { recursive: true })
  copyFileSync(join(config, 'config.json'), join(directory, 'config.json'))
  const tensors = modelTensors(readArchitecture(config)).map(({ name, shape }) => ({
    ...{ name: renamed[name] ?? name, shape },
  }))
  const half = Math.ceil(tensors.length / 2)
  const shards = { 'one.safetensors': tensors.slice(0, half), 'two.safetensors': tensors.slice(half) }
  for (const [file, its] of Object.entries(shards)) writeFileSync(join(directory, file), shard(its, type, file))
  const map = Object.entries(shards).flatMap(([file, its]) => its.map(({ name }) => [name, file] as const))
  const index = { weight_map: Object.fromEntries(map) }
  writeFileSync(join(directory, 'model.safetensors.index.json'), JSON.stringify(index))
  return directory
}

function shard(
  tensors: readonly { readonly name: string; readonly shape: readonly number[] }[],
  type: keyof typeof WIDTHS,
  seed: string,
): Buffer {
  const random = seededRandom(0, seed)
  const values = tensors.map(({ shape }) => {
    const count = shape.reduce((product, size) => product * size, 1)
    const bits = Array.from({ length: count }, () => finite(Math.floor(random() * 2 ** (8 * WIDTHS[type])), type))
    return Buffer.from(type === 'F32' ? Uint32Array.from(bits).buffer : Uint16Array.from(bits).buffer)
  })
  let begin = 0
  const entries = tensors.map(({ name, shape }, i) => {
    const end = begin + (values[i] as Buffer).length
    const entry = [name, { dtype: type, shape, data_offsets: [begin, end] }] as const
    begin = end
    return entry
  })
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, ...values])
}

function finite(bits: number, type: keyof typeof WIDTHS): number {
  const exponent = EXPONENTS[type]
  return Number(BigInt(bits) & BigInt(exponent)) === exponent ? bits - (exponent & -exponent) : bits
}
