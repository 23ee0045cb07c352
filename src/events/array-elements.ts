import { BcodError } from '../errors.js'
import type { Line } from './line.js'

const [QUOTE, BACKSLASH, COMMA] = [0x22, 0x5c, 0x2c]
const OPENS = new Set([0x5b, 0x7b])
const CLOSES = new Set([0x5d, 0x7d])

/**
 * The elements of a file that is one JSON array, each as its own bytes and with its number in place of a line's; the
 * array is never in memory as a whole. What is inside an element is not looked at: whoever parses it says what is wrong.
 *
 * @param chunks    from the opening bracket on
 * @param maxBytes  a longer element is an error
 * @throws FEEDBACK_TOO_LARGE, FEEDBACK_NOT_JSON if the array itself is broken
 */
export async function* arrayElements(
  chunks: AsyncIterable<Buffer>,
  path: string,
  maxBytes: number,
): AsyncGenerator<Line> {
  const source = chunks[Symbol.asyncIterator]()
  try {
    const { count, rest } = yield* arrayPrefix(source, path, maxBytes)
    for (let chunk: Buffer | undefined = rest; chunk !== undefined; chunk = await nextOf(source)) {
      if (!chunk.every(isSpace)) throw broken('something follows the array', path, count + 1)
    }
  } finally {
    await source.return?.()
  }
}

/** What follows an array, and how many elements it has. */
interface AfterArray {
  readonly count: number
  readonly rest: Buffer
}

/**
 * The elements of the array at which `source` stands, as in `arrayElements`; `source` is read no further than the chunk
 * in which it ends.
 */
export async function* arrayPrefix(
  source: AsyncIterator<Buffer>,
  path: string,
  maxBytes: number,
): AsyncGenerator<Line, AfterArray> {
  let number = 1
  let depth = 0
  let inString = false
  let escaped = false
  let parts: Buffer[] = []
  let length = 0
  const keep = (part: Buffer) => {
    length += part.length
    if (length > maxBytes)
      throw new BcodError('FEEDBACK_TOO_LARGE', `over ${maxBytes} bytes`, { place: `${path}:${number}` })
    parts.push(part)
  }
  const element = (): Buffer => {
    const bytes = Buffer.concat(parts)
    parts = []
    length = 0
    return bytes
  }
  for (let chunk = await nextOf(source); chunk !== undefined; chunk = await nextOf(source)) {
    let start = 0
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inString = false
      } else if (byte === QUOTE) inString = true
      else if (OPENS.has(byte)) {
        depth += 1
        if (depth === 1) start = at + 1
      } else if (CLOSES.has(byte) || (byte === COMMA && depth === 1)) {
        if (byte !== COMMA) depth -= 1
        if (depth > 1 || (depth === 1 && byte !== COMMA)) continue
        keep(chunk.subarray(start, at))
        start = at + 1
        const bytes = element()
        const empty = bytes.every(isSpace)
        if (empty && !(depth === 0 && number === 1))
          throw broken('the array has a comma without an element', path, number)
        if (!empty) yield { number, bytes }
        if (depth === 0) return { count: number, rest: chunk.subarray(start) }
        number += 1
      }
    }
    if (depth > 0) keep(chunk.subarray(start))
  }
  throw broken('the array ends too early', path, number)
}

/** The next chunk; undefined at the end. */
export async function nextOf(source: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  const { value, done } = await source.next()
  return done ? undefined : value
}

const broken = (problem: string, path: string, number: number): BcodError =>
  new BcodError('FEEDBACK_NOT_JSON', problem, { place: `${path}:${number}` })

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
