import { createHash } from 'node:crypto'
import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { openModelTensors, weightFileNames } from './directory.js'

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
