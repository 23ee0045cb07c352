import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { openModelTensors, weightFileNames } from '../safetensors/directory.js'
import { type JsonValue, stableJson } from './json.js'

/**
 * Identity of the base weights: sha256 over config.json and, for each safetensors file in the order of names, its name,
 * size, header, and the first and last MiB of its data. Not every byte: hashing tens of gigabytes at each start costs
 * minutes. Another model, another revision, dtype or sharding, a fine-tune (it moves every matrix) all show; a single
 * flipped bit in the middle of a file does not.
 *
 * @throws MODEL_FILE_MISSING, MODEL_TENSOR_MISSING, SAFETENSORS_INVALID
 */
export async function hashModelDirectory(directory: string): Promise<string> {
  openModelTensors(directory).close()
  const hash = createHash('sha256')
  hash.update(await readConfig(join(directory, 'config.json')))
  for (const name of weightFileNames(directory)) {
    const file = await open(join(directory, name), 'r')
    try {
      const { size } = await file.stat()
      const dataBegin = 8 + Number((await readRange(file, 0, 8)).readBigUInt64LE())
      hash.update(`${name}\n${size}\n`)
      hash.update(await readRange(file, 0, Math.min(size, dataBegin + SAMPLE_BYTES)))
      hash.update(await readRange(file, Math.max(dataBegin, size - SAMPLE_BYTES), size))
    } finally {
      await file.close()
    }
  }
  return hash.digest('hex')
}

/** Identity of tokenizer and chat template; null for a model directory without a tokenizer. */
export async function hashTokenizer(directory: string): Promise<string | null> {
  const further = ['chat_template.json', 'special_tokens_map.json', 'added_tokens.json']
  const templates = join(directory, ADDITIONAL)
  const additional = existsSync(templates) ? readdirSync(templates).sort() : []
  const named = additional.filter((name) => name.endsWith('.jinja')).map((name) => join(ADDITIONAL, name))
  return hashFiles(
    directory,
    [...further, ...named].filter((name) => existsSync(join(directory, name))),
  )
}

/** The same as older checkpoints have it: some files did not count. */
export const hashOlderTokenizer = (directory: string): Promise<string | null> => hashFiles(directory, [])

const ADDITIONAL = 'additional_chat_templates'

async function hashFiles(directory: string, further: readonly string[]): Promise<string | null> {
  if (!existsSync(join(directory, 'tokenizer.json'))) return null
  const hash = createHash('sha256')
  for (const name of ['tokenizer.json', 'tokenizer_config.json', 'chat_template.jinja', ...further]) {
    const path = join(directory, name)
    hash.update(`${name} ${existsSync(path) ? await hashFile(path) : 'absent'}\n`)
  }
  return hash.digest('hex')
}

/** sha256 of a whole file, in hex. */
export async function hashFile(path: string): Promise<string> {
  const file = await open(path, 'r')
  const hash = createHash('sha256')
  for await (const piece of file.createReadStream({ highWaterMark: 2 ** 20 })) hash.update(piece as Buffer)
  return hash.digest('hex')
}

/** sha256 of a value, whatever the order of its keys. */
export const hashJson = (value: JsonValue): string => createHash('sha256').update(stableJson(value)).digest('hex')

async function readConfig(place: string): Promise<Buffer> {
  try {
    return await readFile(place)
  } catch (cause) {
    throw new BcodError('MODEL_FILE_MISSING', 'cannot be read', { place, cause })
  }
}

const SAMPLE_BYTES = 2 ** 20

async function readRange(file: FileHandle, begin: number, end: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(end - begin), 0, end - begin, begin)
  return buffer.subarray(0, bytesRead)
}
