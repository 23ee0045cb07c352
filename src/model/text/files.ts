import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { BcodError } from '../../errors.js'

export type JsonFile = Readonly<Record<string, unknown>>

/** A text file of the model directory; null where there is none. @throws TOKENIZER_INVALID where it cannot be read */
export function readTextFile(modelDir: string, name: string): string | null {
  const path = join(modelDir, name)
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw new BcodError('TOKENIZER_INVALID', 'cannot be read', { place: path, cause: error })
  }
}

/** A JSON object of the model directory; null where there is none. @throws TOKENIZER_INVALID */
export function readJsonFile(modelDir: string, name: string): JsonFile | null {
  const text = readTextFile(modelDir, name)
  if (text === null) return null
  try {
    const value: unknown = JSON.parse(text)
    if (typeof value === 'object' && value !== null) return value as JsonFile
  } catch (error) {
    throw new BcodError('TOKENIZER_INVALID', 'not JSON', { place: join(modelDir, name), cause: error })
  }
  throw new BcodError('TOKENIZER_INVALID', 'not a JSON object', { place: join(modelDir, name) })
}

/** The names in a folder of the model directory, in order; none where there is no such folder. */
export function filesIn(modelDir: string, folder: string): readonly string[] {
  try {
    return readdirSync(join(modelDir, folder)).sort()
  } catch {
    return []
  }
}
