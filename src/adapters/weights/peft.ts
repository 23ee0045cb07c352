import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../../errors.js'
import { readJson } from '../../files/read-json.js'
import { openSafetensors, type SafetensorsFile } from '../../safetensors/reader.js'
import { safetensorsChunks, writeSafetensors } from '../../safetensors/writer.js'
import type { Adapter, AdapterTensor } from './adapter.js'
import { parsePeftConfig, peftConfigText } from './peft-config.js'

export const ADAPTER_CONFIG = 'adapter_config.json'
export const ADAPTER_MODEL = 'adapter_model.safetensors'

/**
 * Reads a LoRA adapter that PEFT or bcod saved; F16 and BF16 tensors become f32. Names with an adapter's name in them
 * (`…lora_A.default.weight`: the state of a model, saved past PEFT) are read without it, where there is one only.
 *
 * @throws ADAPTER_INVALID where something is missing or does not fit together, ADAPTER_UNSUPPORTED for what PEFT can
 *   do beyond plain LoRA, SAFETENSORS_INVALID, FILE_FOREIGN
 */
export function readAdapter(directory: string): Adapter {
  const configPath = join(directory, ADAPTER_CONFIG)
  const json = readJson(configPath, 'ADAPTER_INVALID')
  if (json === null) throw incomplete(directory, ADAPTER_CONFIG)
  const config = parsePeftConfig(json, configPath)
  if (!existsSync(join(directory, ADAPTER_MODEL))) throw incomplete(directory, ADAPTER_MODEL)
  const file = openSafetensors(join(directory, ADAPTER_MODEL))
  try {
    const plain = plainNames(file)
    const tensors = new Map(file.names.map((name) => [plain(name), readTensor(file, name)]))
    return { ...config, targets: checkedTargets(tensors, config.r, file.path), tensors }
  } finally {
    file.close()
  }
}

/** Saves an adapter so that PEFT and vLLM load it as it is. For a directory that servers read, publish it instead. */
export function writeAdapter(directory: string, adapter: Adapter): void {
  mkdirSync(directory, { recursive: true })
  writeFileSync(join(directory, ADAPTER_CONFIG), peftConfigText(adapter))
  writeSafetensors(join(directory, ADAPTER_MODEL), adapter.tensors, METADATA)
}

/** The two files of an adapter directory as name and bytes, for a writer of its own. */
export function adapterFiles(adapter: Adapter): readonly (readonly [name: string, chunks: Iterable<Uint8Array>])[] {
  return [
    [ADAPTER_CONFIG, [new TextEncoder().encode(peftConfigText(adapter))]],
    [ADAPTER_MODEL, safetensorsChunks(adapter.tensors, METADATA)],
  ]
}

/** transformers and PEFT want to know which framework wrote the file. */
const METADATA = { format: 'pt' }

/** Module path, its last part, which of the two matrices, and the adapter's name where it was left in. */
const LORA_NAME = /^base_model\.model\.(.+\.([^.]+))\.lora_(A|B)(?:\.([^.]+))?\.weight$/

function incomplete(directory: string, name: string): BcodError {
  const place = join(directory, name)
  const pickle = existsSync(directory)
    ? readdirSync(directory).find((each) => /^adapter_model\.(bin|pt)$/.test(each))
    : undefined
  if (name !== ADAPTER_MODEL || pickle === undefined) return new BcodError('ADAPTER_INVALID', 'is not there', { place })
  const remedy = 'Load the adapter with PEFT and save it with save_pretrained, which writes safetensors.'
  return new BcodError('ADAPTER_INVALID', `is not there, but ${pickle} is, which is a Python pickle`, { place, remedy })
}

/** Names without the adapter's name. @throws ADAPTER_INVALID where there are several adapters */
function plainNames(file: SafetensorsFile): (name: string) => string {
  const named = new Set(file.names.flatMap((name) => LORA_NAME.exec(name)?.[4] ?? []))
  if (named.size > 1)
    throw new BcodError('ADAPTER_INVALID', `it holds several adapters: ${[...named].sort().join(', ')}`, {
      place: file.path,
      remedy: 'Save one of them with save_pretrained(…, selected_adapters=[NAME]) of PEFT.',
    })
  const plain = (name: string) => name.replace(/(\.lora_[AB])\.[^.]+(\.weight)$/, '$1$2')
  if (new Set(file.names.map(plain)).size < file.names.length)
    throw new BcodError('ADAPTER_INVALID', 'it holds matrices both with and without the name of an adapter', {
      place: file.path,
    })
  return plain
}

function readTensor(file: SafetensorsFile, name: string): AdapterTensor {
  const { dtype, shape } = file.info(name)
  if (!LORA_NAME.test(name) || !['F32', 'F16', 'BF16'].includes(dtype)) {
    const what = `tensor ${name} of ${dtype} is ${kindOf(name)}`
    throw new BcodError('ADAPTER_UNSUPPORTED', what, { place: file.path })
  }
  return { shape, data: file.floats(name) }
}

/** What the tensor of a name that is not a plain LoRA's may be. */
function kindOf(name: string): string {
  if (/lora_magnitude_vector/.test(name)) return 'of a DoRA, which is not trained'
  if (/lora_embedding_[AB]/.test(name)) return 'a LoRA on the embedding, which is not trained'
  if (/(embed_tokens|lm_head)[^.]*\.weight$/.test(name))
    return 'a whole embedding or output layer, which is not trained'
  if (/\.bias$/.test(name)) return 'a bias, which is not trained'
  if (!name.startsWith('base_model.model.')) return "not named as PEFT does, which begins with 'base_model.model.'"
  return 'not a LoRA matrix'
}

/** The modules that the tensors cover, once every A [r, in] has its B [out, r] and every B its A. */
function checkedTargets(tensors: Adapter['tensors'], r: number, place: string): readonly string[] {
  const targets = new Set<string>()
  for (const [name, { shape }] of tensors) {
    const [, module = '', target = '', matrix] = LORA_NAME.exec(name) ?? []
    const other = `base_model.model.${module}.lora_${matrix === 'A' ? 'B' : 'A'}.weight`
    if (!tensors.has(other)) throw new BcodError('ADAPTER_INVALID', `no tensor ${other}`, { place })
    if (shape.length !== 2 || shape[matrix === 'A' ? 0 : 1] !== r) {
      const expected = matrix === 'A' ? `[${r}, in]` : `[out, ${r}]`
      throw new BcodError('ADAPTER_INVALID', `tensor ${name} is [${shape}], expected ${expected}`, { place })
    }
    targets.add(target)
  }
  if (targets.size === 0) throw new BcodError('ADAPTER_INVALID', 'no LoRA tensors', { place })
  return [...targets].sort()
}
