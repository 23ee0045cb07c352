import { isUtf8 } from 'node:buffer'
import { BcodError } from '../errors.js'

/** A parsed JSON object of which nothing is known yet. `__proto__` in the text is a plain own key of it. */
export type JsonObject = Readonly<Record<string, unknown>>

/**
 * Parses UTF-8 JSON; a byte order mark is skipped. The text itself never gets into the error.
 *
 * @throws FEEDBACK_NOT_JSON with the byte (UTF-8) or character (JSON) position where it is known
 */
export function parseJson(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new BcodError('FEEDBACK_NOT_JSON', `not JSON${syntaxPosition(error)}`)
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

/** V8 quotes the text in its message, so only the number is taken from it. */
function syntaxPosition(error: unknown): string {
  if (!(error instanceof SyntaxError)) return ''
  if (error.message.startsWith('Unexpected end')) return ': it ends too early'
  const position = /at position (\d+)/.exec(error.message)?.[1]
  return position === undefined ? '' : ` at character ${position}`
}
