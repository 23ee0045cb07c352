import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { BcodError } from '../../errors.js'
import { readJson } from '../../files/read-json.js'
import { openSafetensors, type SafetensorsFile } from '../../safetensors/reader.js'
import type { AdapterTensor } from './adapter.js'
import { type LowRank, loraScale, lowRankProduct } from './low-rank.js'
import { ADAPTER_CONFIG, ADAPTER_MODEL } from './peft.js'
import { parsePeftConfig } from './peft-config.js'

/** How far two adapters are apart in one module. All are Frobenius norms of the change of the weight, scale · B A. */
export interface ModuleDifference {
  /** As the model names it, such as `model.layers.0.self_attn.q_proj`. */
  readonly module: string
  readonly a: number
  readonly b: number
  /** Of the change that leads from one to the other. */
  readonly difference: number
}

export interface AdapterDifference {
  /** In order of their names. */
  readonly modules: readonly ModuleDifference[]
  /** Over all modules. */
  readonly total: Omit<ModuleDifference, 'module'>
}

/**
 * Compares what two versions do to the weights; a module that one of them lacks counts as 0 there. Computed in f64 from
 * r × r products, one module after the other, so that the process goes on answering meanwhile.
 *
 * @param a  directory of a version
 * @param b  directory of another
 * @throws ADAPTER_INVALID, ADAPTER_UNSUPPORTED, SAFETENSORS_INVALID; ADAPTER_MISMATCH if a module has other dimensions
 */
export async function adapterDifference(a: string, b: string): Promise<AdapterDifference> {
  const one = openVersion(a)
  try {
    const other = openVersion(b)
    try {
      return await difference(one, other)
    } finally {
      other.file.close()
    }
  } finally {
    one.file.close()
  }
}

async function difference(one: OpenVersion, other: OpenVersion): Promise<AdapterDifference> {
  const names = [...new Set([...modulesOf(one.file), ...modulesOf(other.file)])].sort()
  const modules: ModuleDifference[] = []
  const total = { a: 0, b: 0, difference: 0 }
  for (const module of names) {
    const [inA, inB] = [lowRank(one, module), lowRank(other, module)]
    const [aa, bb] = [inA ? lowRankProduct(inA, inA, module) : 0, inB ? lowRankProduct(inB, inB, module) : 0]
    const apart = Math.max(0, aa + bb - 2 * (inA && inB ? lowRankProduct(inA, inB, module) : 0))
    modules.push({ module, a: Math.sqrt(aa), b: Math.sqrt(bb), difference: Math.sqrt(apart) })
    total.a += aa
    total.b += bb
    total.difference += apart
    await nextTurn()
  }
  const norms = { a: Math.sqrt(total.a), b: Math.sqrt(total.b), difference: Math.sqrt(total.difference) }
  return { modules, total: norms }
}

/** A version whose tensors are read one by one. */
interface OpenVersion {
  readonly scale: number
  readonly file: SafetensorsFile
}

function openVersion(directory: string): OpenVersion {
  const path = join(directory, ADAPTER_CONFIG)
  const json = readJson(path, 'ADAPTER_INVALID')
  if (json === null) throw new BcodError('ADAPTER_INVALID', 'is not there', { place: path })
  const { r, alpha, rslora } = parsePeftConfig(json, path)
  return { scale: loraScale({ r, alpha, rslora }), file: openSafetensors(join(directory, ADAPTER_MODEL)) }
}

const PREFIX = 'base_model.model.'
const LORA_A = '.lora_A.weight'

const modulesOf = (file: SafetensorsFile): readonly string[] =>
  file.names.flatMap((name) =>
    name.startsWith(PREFIX) && name.endsWith(LORA_A) ? name.slice(PREFIX.length, -LORA_A.length) : [],
  )

/** Null if the version lacks the module. */
function lowRank({ scale, file }: OpenVersion, module: string): LowRank | null {
  const tensor = (matrix: 'A' | 'B'): AdapterTensor | null => {
    const name = `${PREFIX}${module}.lora_${matrix}.weight`
    return file.names.includes(name) ? { shape: file.info(name).shape, data: file.floats(name) } : null
  }
  const [loraA, loraB] = [tensor('A'), tensor('B')]
  return loraA && loraB && { scale, loraA, loraB }
}
