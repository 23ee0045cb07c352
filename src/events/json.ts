import { isUtf8 } from 'node:buffer'
import { BcodError } from '../errors.js'
import { SECOND_VALUE, scanJson, withInfinities } from '../files/json-scan.js'

/** A parsed JSON object of which nothing is known yet. `__proto__` in the text is a plain own key of it. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Parses UTF-8 JSON; a byte order mark is skipped. The text itself never gets into the error.
 *
 * Python writes NaN and infinities, which JSON does not have. They are read as a number that is not finite: harmless
 * in a field that is not read, refused in one that is.
 *
 * @throws FEEDBACK_NOT_JSON with the byte (UTF-8) or character (JSON) position and what is wrong there
 */
export const parseJson = (bytes: Uint8Array): unknown => parseJsonText(decodeUtf8(bytes))

/** The same for a text. */
export function parseJsonText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    const { fault, notFinite } = scanJson(text)
    if (fault === null && notFinite.length > 0) return JSON.parse(withInfinities(text, notFinite))
    throw new BcodError('FEEDBACK_NOT_JSON', `not JSON${fault === null ? '' : placed(fault, text)}`)
  }
}

/** What a text holds; null if that is no JSON. */
export function jsonOrNull(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const strictUtf8 = new TextDecoder('utf-8', { fatal: true })

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes)
  } catch {
    throw new BcodError('FEEDBACK_NOT_JSON', `not UTF-8 at byte ${firstInvalidByte(bytes)}`)
  }
}

function firstInvalidByte(bytes: Uint8Array): number {
  let at = 0
  while (at < bytes.length) {
    const lead = bytes[at]!
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4
    if (lead >= 0x80 && !isUtf8(bytes.subarray(at, at + length))) break
    at += length
  }
  return at
}

const placed = ({ at, problem }: { readonly at: number; readonly problem: string }, { length }: string): string =>
  (at < length ? ` at character ${at}: ${problem}` : `: ${problem}`) + (problem === SECOND_VALUE ? ONE_EACH : '')

const ONE_EACH = '; each vote is a record, or a line, of its own'
