import { readFileSync } from 'node:fs'
import { BcodError, type ErrorCode } from '../errors.js'
import { foreignFile } from './foreign.js'
import { JsonSyntaxError, parsePythonJson } from './python-json.js'

export type JsonFile = Readonly<Record<string, unknown>>

/**
 * A text file that Python programs write, in UTF-8; a byte order mark stays, as it does there.
 *
 * @param code  of the error for a file that is not text
 * @returns null if there is none
 * @throws FILE_FOREIGN for what is plainly something else, such as a Git LFS pointer
 */
export function readText(path: string, code: ErrorCode): string | null {
  let bytes: Buffer
  try {
    bytes = readFileSync(path)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code
    if (reason === 'ENOENT') return null
    throw new BcodError(code, `cannot be read (${reason})`, { place: path, cause })
  }
  const foreign = foreignFile(bytes)
  if (foreign !== null) throw new BcodError('FILE_FOREIGN', foreign.what, { place: path, remedy: foreign.remedy })
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (cause) {
    throw new BcodError(code, 'is not text in UTF-8', { place: path, cause })
  }
}

/**
 * A JSON object as Python programs write it, `NaN` and `Infinity` included.
 *
 * @param code  of the error for anything but a JSON object
 * @returns null if there is no such file
 */
export function readJson(path: string, code: ErrorCode): JsonFile | null {
  const text = readText(path, code)
  return text === null ? null : parseJsonObject(text, path, code)
}

/** @throws `code` with line and column */
export function parseJsonObject(text: string, place: string, code: ErrorCode): JsonFile {
  if (text.trim() === '') throw new BcodError(code, 'is empty', { place })
  let value: unknown
  try {
    value = parsePythonJson(text.replace(/^\uFEFF/, ''))
  } catch (cause) {
    if (!(cause instanceof JsonSyntaxError)) throw cause
    throw new BcodError(code, `is not JSON (${cause.message})`, { place })
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonFile
  throw new BcodError(code, 'is not a JSON object', { place })
}
