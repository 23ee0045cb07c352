import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { type WritableTensor, writeSafetensors } from '../../src/safetensors/writer.js'

const SOUND = 'tests/golden/arch/llama3_scaled_untied'

/** A small model in `directory` whose input embedding of `token` is `value` throughout; every other weight is sound. */
export function spoiltModel(directory: string, token: number, value: number): string {
  cpSync(SOUND, directory, { recursive: true })
  const path = join(directory, 'model.safetensors')
  const file = openSafetensors(path)
  const tensors = new Map<string, WritableTensor>(
    file.names.map((name) => [name, { shape: file.info(name).shape, data: file.floats(name) }]),
  )
  file.close()
  const { shape, data } = tensors.get('model.embed_tokens.weight') as WritableTensor
  const width = shape[1] as number
  ;(data as Float32Array).fill(value, token * width, (token + 1) * width)
  writeSafetensors(path, tensors, { format: 'pt' })
  return directory
}
