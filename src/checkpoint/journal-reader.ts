import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { BcodError } from '../errors.js'
import type { JournalLine } from './journal.js'

/**
 * The applied steps of a journal, in order. A last line without its newline was never finished and is left out, unless
 * it lies within `bytes`.
 *
 * @param bytes  how much to read, as a checkpoint knows it; the whole file by default
 * @throws JOURNAL_INVALID with the line number, JOURNAL_SHORT
 */
export async function* readJournal(path: string, bytes?: number): AsyncGenerator<JournalLine> {
  let number = 0
  let read = 0
  let rest: Buffer = Buffer.alloc(0)
  const end = bytes === undefined ? {} : { end: bytes - 1 }
  if (bytes === 0) return
  for await (const chunk of createReadStream(path, { ...end, highWaterMark: 2 ** 20 })) {
    read += (chunk as Buffer).length
    rest = Buffer.concat([rest, chunk as Buffer])
    for (let newline = rest.indexOf(10); newline >= 0; newline = rest.indexOf(10)) {
      yield parseLine(rest.toString('utf8', 0, newline), `${path}:${++number}`)
      rest = rest.subarray(newline + 1)
    }
  }
  if (bytes === undefined) return
  if (read < bytes) throw new BcodError('JOURNAL_SHORT', `expected ${bytes} bytes, got ${read}`, { place: path })
  if (rest.length > 0) throw invalid(`${path}:${number + 1}`, 'ends in the middle of a line')
}

/**
 * The last applied steps of a journal, newest first, as far as they are whole within its last `bytes`; none if there is
 * no journal.
 *
 * @throws JOURNAL_INVALID
 */
export async function readJournalEnd(path: string, bytes = JOURNAL_END_BYTES): Promise<readonly JournalLine[]> {
  const file = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (file === null) return []
  try {
    const { size } = await file.stat()
    const start = Math.max(0, size - bytes)
    const { buffer, bytesRead } = await file.read(Buffer.alloc(size - start), 0, size - start, start)
    // a cut first line and an unfinished last one are left out
    const lines = buffer
      .toString('utf8', 0, bytesRead)
      .split('\n')
      .slice(start === 0 ? 0 : 1, -1)
    return lines.reverse().map((line) => parseLine(line, path))
  } finally {
    await file.close()
  }
}

const JOURNAL_END_BYTES = 8 * 2 ** 20

function parseLine(text: string, place: string): JournalLine {
  let line: Partial<JournalLine> | null
  try {
    line = JSON.parse(text)
  } catch {
    throw invalid(place, 'is not JSON')
  }
  if (!Number.isSafeInteger(line?.step) || !Array.isArray(line?.events) || !Array.isArray(line.microBatches)) {
    throw invalid(place, 'lacks step, events or microBatches')
  }
  return line as JournalLine
}

const invalid = (place: string, message: string) => new BcodError('JOURNAL_INVALID', message, { place })
