import { createReadStream } from 'node:fs'
import { BcodError } from '../errors.js'
import { FOREIGN_HEAD_BYTES, foreignFile } from '../files/foreign.js'
import { arrayElements } from './array-elements.js'
import type { Line } from './line.js'

/**
 * The lines of a file that are not blank, as bytes, so that broken UTF-8 is seen and not mended. A file that is one JSON
 * array gives its elements: many tools write their rows so.
 *
 * @param maxBytes  a longer line is an error and never in memory as a whole
 * @param onTooLong  called with a longer line, which is then passed over, though not within an array
 * @throws FILE_UNREADABLE, FEEDBACK_TOO_LARGE; FILE_FOREIGN for a file that is neither, such as a Git LFS pointer
 */
export async function* readLines(path: string, maxBytes: number, onTooLong?: OnTooLong): AsyncGenerator<Line> {
  const chunks = readChunks(path)
  let head = Buffer.alloc(0)
  // as far as the first byte of text
  while (head.length < FOREIGN_HEAD_BYTES || isBlank(withoutMark(head))) {
    const { value, done } = await chunks.next()
    if (done) break
    head = Buffer.concat([head, value])
    if (head.length > MAX_BLANK_BYTES) break
  }
  const foreign = foreignFile(head)
  if (foreign !== null) throw new BcodError('FILE_FOREIGN', foreign.what, { place: path, remedy: foreign.remedy })
  const text = withoutMark(head)
  const first = text.findIndex((byte) => !isSpace(byte))
  const all = (bytes: Buffer) => chain(bytes, chunks)
  if (text[first] === OPENING_BRACKET) yield* arrayElements(all(text.subarray(first)), path, maxBytes)
  else yield* linesOf(all(head), path, { maxBytes, onTooLong })
}

type OnTooLong = (line: number, error: BcodError) => void

interface Limit {
  readonly maxBytes: number
  readonly onTooLong: OnTooLong | undefined
}

async function* linesOf(chunks: AsyncIterable<Buffer>, path: string, limit: Limit): AsyncGenerator<Line> {
  const { maxBytes, onTooLong } = limit
  let number = 1
  let parts: Buffer[] = []
  let length = 0
  /** Adds to the line; what is longer than the limit is let go. */
  const add = (part: Buffer): void => {
    length += part.length
    if (length <= maxBytes) parts.push(part)
    else {
      if (onTooLong === undefined) throw atPath(tooLong(maxBytes), `${path}:${number}`)
      parts = []
    }
  }
  function* end(): Generator<Line> {
    const bytes = join(parts)
    if (length > maxBytes) onTooLong?.(number, tooLong(maxBytes))
    else if (!isBlank(bytes)) yield { number, bytes }
    number += 1
    parts = []
    length = 0
  }
  for await (const chunk of chunks) {
    let start = 0
    for (let newline = chunk.indexOf(NEWLINE); newline !== -1; newline = chunk.indexOf(NEWLINE, start)) {
      add(chunk.subarray(start, newline))
      yield* end()
      start = newline + 1
    }
    add(chunk.subarray(start))
  }
  yield* end()
}

const NEWLINE = 0x0a
const OPENING_BRACKET = 0x5b
/** As far as white space is skipped in search of an array. */
const MAX_BLANK_BYTES = 2 ** 20

/** A byte order mark is no text. */
const withoutMark = (head: Buffer): Buffer =>
  head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? head.subarray(3) : head

async function* chain(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first
  yield* rest
}

/** The bytes of a file. @throws FILE_UNREADABLE */
export async function* readChunks(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new BcodError('FILE_UNREADABLE', `cannot be read (${reason})`, { place: path, cause: error })
  }
}

const join = (parts: readonly Buffer[]): Buffer => (parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts))

const tooLong = (maxBytes: number): BcodError => new BcodError('FEEDBACK_TOO_LARGE', `over ${maxBytes} bytes`)

const atPath = ({ code, message }: BcodError, place: string): BcodError => new BcodError(code, message, { place })

const isBlank = (bytes: Uint8Array): boolean => bytes.every(isSpace)

const isSpace = (byte: number): boolean => byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d
