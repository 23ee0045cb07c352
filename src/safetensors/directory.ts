import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { readJson } from '../files/read-json.js'
import type { TensorInfo } from './header.js'
import { openSafetensors, type SafetensorsFile, type TensorLocation, type TensorReader } from './reader.js'

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

  get place(): string {
    return join(this.directory, INDEX)
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

  location(name: string): TensorLocation {
    return this.file(name).location(name)
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
    throw new BcodError('MODEL_TENSOR_MISSING', `no tensor ${name}`, { place: this.place })
  }
}

/** Tensor name → shard; null if one file holds them all. */
function shardIndex(directory: string): ReadonlyMap<string, string> | null {
  if (existsSync(join(directory, SINGLE))) return null
  const place = join(directory, INDEX)
  const fail = (message: string): never => {
    throw new BcodError('SAFETENSORS_INVALID', message, { place })
  }
  const index = readJson(place, 'SAFETENSORS_INVALID')
  if (index === null) throw noWeights(directory)
  const map = index.weight_map
  if (typeof map !== 'object' || map === null) return fail('weight_map is missing')
  const entries = Object.entries(map)
  for (const [name, shard] of entries) {
    if (typeof shard !== 'string' || /[\\/]/.test(shard)) fail(`weight_map gives no file name for ${name}`)
  }
  return new Map(entries)
}

/** What is there in place of the weights says what to do. */
function noWeights(directory: string): BcodError {
  const missing = `neither ${SINGLE} nor ${INDEX} is there`
  const names = existsSync(directory) ? readdirSync(directory) : []
  for (const [pattern, remedy] of OTHER_WEIGHTS) {
    const found = names.find((name) => pattern.test(name))
    if (found !== undefined)
      return new BcodError('MODEL_FILE_MISSING', `${missing}, but ${found} is`, { place: directory, remedy })
  }
  return new BcodError('MODEL_FILE_MISSING', missing, { place: directory })
}

const OTHER_WEIGHTS: readonly (readonly [pattern: RegExp, remedy: string])[] = [
  [/^model-\d+-of-\d+\.safetensors$/, `Fetch ${INDEX} too: it says which shard holds what.`],
  [
    /\.(bin|pth|pt)$/,
    'Pickled weights are not read: load the model with transformers and save it with save_pretrained, which writes safetensors.',
  ],
  [/\.gguf$/, 'A GGUF file cannot be trained: use the original Hugging Face directory of the model.'],
  [/^adapter_model\./, 'This is an adapter: set model.path to its base model, and lora.init to this directory.'],
]
