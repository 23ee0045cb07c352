import { createReadStream } from 'node:fs'
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
      yield parseLine(rest.toString('utf8', 0, newline), path, ++number)
      rest = rest.subarray(newline + 1)
    }
  }
  if (bytes === undefined) return
  if (read < bytes) throw new BcodError('JOURNAL_SHORT', `expected ${bytes} bytes, got ${read}`, { place: path })
  if (rest.length > 0) throw invalid(path, number + 1, 'ends in the middle of a line')
}

function parseLine(text: string, path: string, number: number): JournalLine {
  let line: Partial<JournalLine> | null
  try {
    line = JSON.parse(text)
  } catch {
    throw invalid(path, number, 'is not JSON')
  }
  if (!Number.isSafeInteger(line?.step) || !Array.isArray(line?.events) || !Array.isArray(line.microBatches)) {
    throw invalid(path, number, 'lacks step, events or microBatches')
  }
  return line as JournalLine
}

const invalid = (path: string, number: number, message: string) =>
  new BcodError('JOURNAL_INVALID', message, { place: `${path}:${number}` })
