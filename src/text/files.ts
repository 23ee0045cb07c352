import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { type JsonFile, readJson, readText } from '../files/read-json.js'

export type { JsonFile } from '../files/read-json.js'

/** A text file of the model directory; null if there is none. @throws TOKENIZER_INVALID, FILE_FOREIGN */
export const readTextFile = (modelDir: string, name: string): string | null =>
  readText(join(modelDir, name), 'TOKENIZER_INVALID')

/** A JSON object of the model directory; null if there is none. @throws TOKENIZER_INVALID, FILE_FOREIGN */
export const readJsonFile = (modelDir: string, name: string): JsonFile | null =>
  readJson(join(modelDir, name), 'TOKENIZER_INVALID')

/** The names in a folder of the model directory, in order; none if there is no such folder. */
export function filesIn(modelDir: string, folder: string): readonly string[] {
  try {
    return readdirSync(join(modelDir, folder)).sort()
  } catch {
    return []
  }
}
