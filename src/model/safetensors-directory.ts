import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { openSafetensors, type SafetensorsFile, type TensorReader } from './safetensors.js'
import type { TensorInfo } from './safetensors-header.js'

/**
 * Opens the weights of a Hugging Face model directory: `model.safetensors`, else the shards that
 * `model.safetensors.index.json` lists. Every shard's header is validated, and every tensor of the index must be in the
 * shard that the index names.
 *
 * @throws MODEL_FILE_MISSING, MODEL_TENSOR_MISSING, SAFETENSORS_INVALID
 */
export function openModelTensors(directory: string): TensorReader {
  const index = shardIndex(directory)
  return index === null ? openSafetensors(join(directory, SINGLE)) : new ShardedTensors(directory, index)
}

/**
 * Names of the safetensors files of a model directory, sorted; relative to it.
 * @throws MODEL_FILE_MISSING, SAFETENSORS_INVALID
 */
export function weightFileNames(directory: string): readonly string[] {
  const index = shardIndex(directory)
  return index === null ? [SINGLE] : [...new Set(index.values())].sort()
}

const SINGLE = 'model.safetensors'
const INDEX = 'model.safetensors.index.json'

class ShardedTensors implements TensorReader {
  private readonly files = new Map<string, SafetensorsFile>()

  constructor(
    private readonly directory: string,
    private readonly index: ReadonlyMap<string, string>,
  ) {
    try {
      for (const [name, shard] of index) {
        const file = this.files.get(shard) ?? openSafetensors(join(directory, shard))
        this.files.set(shard, file)
        file.info(name)
      }
    } catch (error) {
      this.close()
      throw error
    }
  }

  get names(): readonly string[] {
    return [...this.index.keys()]
  }

  has(name: string): boolean {
    return this.index.has(name)
  }

  info(name: string): TensorInfo {
    return this.file(name).info(name)
  }

  bytes(name: string): Uint8Array<ArrayBuffer> {
    return this.file(name).bytes(name)
  }

  floats(name: string): Float32Array<ArrayBuffer> {
    return this.file(name).floats(name)
  }

  close(): void {
    for (const file of this.files.values()) file.close()
  }

  private file(name: string): SafetensorsFile {
    const file = this.files.get(this.index.get(name) ?? '')
    if (file) return file
    throw new BcodError('MODEL_TENSOR_MISSING', `no tensor ${name}`, { place: join(this.directory, INDEX) })
  }
}

/** Tensor name → shard; null where one file holds them all. */
function shardIndex(directory: string): ReadonlyMap<string, string> | null {
  if (existsSync(join(directory, SINGLE))) return null
  const place = join(directory, INDEX)
  const fail = (message: string): never => {
    throw new BcodError('SAFETENSORS_INVALID', message, { place })
  }
  if (!existsSync(place)) {
    throw new BcodError('MODEL_FILE_MISSING', `neither ${SINGLE} nor ${INDEX} is there`, { place: directory })
  }
  let parsed: { weight_map?: unknown } | null
  try {
    parsed = JSON.parse(readFileSync(place, 'utf8'))
  } catch {
    return fail('is not JSON')
  }
  const map = parsed?.weight_map
  if (typeof map !== 'object' || map === null) return fail('weight_map is missing')
  const entries = Object.entries(map)
  for (const [name, shard] of entries) {
    if (typeof shard !== 'string' || /[\\/]/.test(shard)) fail(`weight_map gives no file name for ${name}`)
  }
  return new Map(entries)
}
