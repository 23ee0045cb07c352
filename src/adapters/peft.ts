import { accessSync, constants, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { openSafetensors, type SafetensorsFile } from '../model/safetensors.js'
import { safetensorsChunks, writeSafetensors } from '../model/safetensors-writer.js'
import type { Adapter, AdapterTensor } from './adapter.js'
import { parsePeftConfig, peftConfigText } from './peft-config.js'

export const ADAPTER_CONFIG = 'adapter_config.json'
export const ADAPTER_MODEL = 'adapter_model.safetensors'

/**
 * Reads a LoRA adapter that PEFT or bcod saved; F16 and BF16 tensors become f32.
 *
 * @throws ADAPTER_INVALID where something is missing or does not fit together, ADAPTER_UNSUPPORTED for what PEFT can
 *   do beyond plain LoRA, SAFETENSORS_INVALID
 */
export function readAdapter(directory: string): Adapter {
  const configPath = join(directory, ADAPTER_CONFIG)
  const config = parsePeftConfig(readConfig(configPath), configPath)
  const file = openModel(join(directory, ADAPTER_MODEL))
  try {
    const tensors = new Map(file.names.map((name) => [name, readTensor(file, name)]))
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

/** Module path, its last part, and which of the two matrices. */
const LORA_NAME = /^base_model\.model\.(.+\.([^.]+))\.lora_(A|B)\.weight$/

function readConfig(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw unreadable(path, cause)
  }
}

function openModel(path: string): SafetensorsFile {
  try {
    accessSync(path, constants.R_OK)
  } catch (cause) {
    throw unreadable(path, cause)
  }
  return openSafetensors(path)
}

const unreadable = (place: string, cause: unknown) =>
  new BcodError('ADAPTER_INVALID', `cannot be read (${(cause as NodeJS.ErrnoException).code})`, { place, cause })

function readTensor(file: SafetensorsFile, name: string): AdapterTensor {
  const { dtype, shape } = file.info(name)
  if (!LORA_NAME.test(name) || !['F32', 'F16', 'BF16'].includes(dtype)) {
    throw new BcodError('ADAPTER_UNSUPPORTED', `tensor ${name} of ${dtype} is not a LoRA matrix`, { place: file.path })
  }
  return { shape, data: file.floats(name) }
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
