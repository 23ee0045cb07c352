import { renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { BcodError } from '../errors.js'
import { encodeFeedback, type FeedbackDraft } from '../events/encode.js'
import { syncDirectory, systemCode, writeFileDurably } from '../files/durable-files.js'

/** It holds users' text. */
const OWNER_ONLY = 0o600

/**
 * Writes the events, one a line, into a file that is whole or as it was before.
 *
 * @throws OUTPUT_UNWRITABLE, and what `events` throws
 */
export async function writeEvents(path: string, events: AsyncIterable<FeedbackDraft>): Promise<void> {
  const incomplete = `${path}.incomplete-${process.pid}`
  try {
    rmSync(incomplete, { force: true }) // of a process that was killed and had this number: in a container all have
    await writeFileDurably(incomplete, lines(events), OWNER_ONLY)
    renameSync(incomplete, path)
    await syncDirectory(dirname(path))
  } catch (error) {
    const reason = systemCode(error)
    if (reason === undefined) throw error
    throw new BcodError('OUTPUT_UNWRITABLE', `cannot be written (${reason})`, { place: path, cause: error })
  } finally {
    rmSync(incomplete, { force: true })
  }
}

/** A write for each event would take longer than all else. */
const WRITE_BYTES = 256 * 1024

/** In pieces of about `WRITE_BYTES`. */
async function* lines(events: AsyncIterable<FeedbackDraft>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = []
  let bytes = 0
  for await (const event of events) {
    const line = encodeFeedback(event)
    waiting.push(line, NEWLINE)
    bytes += line.byteLength
    if (bytes < WRITE_BYTES) continue
    yield Buffer.concat(waiting)
    waiting = []
    bytes = 0
  }
  yield Buffer.concat(waiting)
}

const NEWLINE = Buffer.from('\n')
