import { createReadStream } from 'node:fs'
import { BcodError } from '../errors.js'

export interface Line {
  /** From 1. */
  readonly number: number
  /** Without its line end. */
  readonly bytes: Uint8Array
}

/**
 * The lines of a file that are not blank, as bytes, so that broken UTF-8 is seen and not mended.
 *
 * @param maxBytes  a longer line is an error and never in memory as a whole
 * @throws FILE_UNREADABLE, FEEDBACK_TOO_LARGE
 */
export async function* readLines(path: string, maxBytes: number): AsyncGenerator<Line> {
  let number = 1
  let parts: Buffer[] = []
  let length = 0
  for await (const chunk of readChunks(path)) {
    let start = 0
    for (let end = chunk.indexOf(NEWLINE); end !== -1; end = chunk.indexOf(NEWLINE, start)) {
      checkLength(path, number, length + end - start, maxBytes)
      const bytes = join(parts, chunk.subarray(start, end))
      if (!isBlank(bytes)) yield { number, bytes }
      number += 1
      start = end + 1
      parts = []
      length = 0
    }
    parts.push(chunk.subarray(start))
    length += chunk.length - start
    checkLength(path, number, length, maxBytes)
  }
  const bytes = join(parts)
  if (!isBlank(bytes)) yield { number, bytes }
}

const NEWLINE = 0x0a

async function* readChunks(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path)) yield chunk
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    throw new BcodError('FILE_UNREADABLE', `cannot be read (${reason})`, { place: path, cause: error })
  }
}

const join = (parts: readonly Buffer[], last: Buffer = Buffer.alloc(0)): Buffer =>
  parts.length === 0 ? last : Buffer.concat([...parts, last])

function checkLength(path: string, number: number, length: number, maxBytes: number): void {
  if (length > maxBytes) {
    throw new BcodError('FEEDBACK_TOO_LARGE', `over ${maxBytes} bytes`, { place: `${path}:${number}` })
  }
}

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)
