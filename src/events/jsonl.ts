import { basename } from 'node:path'
import { BcodError } from '../errors.js'
import { decodeEnvelope, type Envelope } from './envelope.js'
import { toFeedback } from './feedback.js'
import type { Line } from './line.js'
import { readLines } from './lines.js'
import type { Feedback, Position } from './types.js'

export interface JsonlOptions {
  /** Longest accepted line, in bytes. @default 64 MiB */
  readonly maxRecordBytes?: number
  /** Token ids must be below it. @default not checked */
  readonly vocabSize?: number
  /** Called with each bad row, which is then passed over. @default the first one ends the file */
  readonly onInvalid?: OnInvalid
}

/** @param line  from 1 */
export type OnInvalid = (line: number, error: BcodError) => void

export const DEFAULT_MAX_LINE_BYTES = 64 * 2 ** 20

/**
 * The votes of a file in file order: structured CloudEvents or bare rows, one a line, blank lines skipped.
 * The position is (file name, 0, line number), the id of a bare row `file:line`, the timestamp the event's own `time`
 * or 0 if it has none.
 *
 * @throws the errors of `decodeEnvelope` and `toFeedback` at the first bad line, with its `file:line`, unless
 *   `onInvalid` takes them; FILE_UNREADABLE
 */
export async function* readJsonl(path: string, options: JsonlOptions = {}): AsyncGenerator<Feedback> {
  const maxBytes = options.maxRecordBytes ?? DEFAULT_MAX_LINE_BYTES
  const vocabSize = options.vocabSize ?? null
  yield* eachRow(path, options, (line) => {
    const envelope = decodeEnvelope(line.bytes, {}, maxBytes)
    const record = { ...linePosition(path, line), timestamp: eventTime(envelope) }
    return toFeedback(envelope, record, { vocabSize, rowId: fileLine })
  })
}

/** What `read` makes of each line of a file; bad lines go to `onInvalid`, or the first one ends the file. */
export async function* eachRow<T>(
  path: string,
  { maxRecordBytes = DEFAULT_MAX_LINE_BYTES, onInvalid }: JsonlOptions,
  read: (line: Line) => T,
): AsyncGenerator<T> {
  for await (const line of readLines(path, maxRecordBytes, onInvalid)) {
    let row: T
    try {
      row = read(line)
    } catch (error) {
      if (!(error instanceof BcodError)) throw error
      if (onInvalid === undefined) throw errorAtLine(path, line.number, error)
      onInvalid(line.number, error)
      continue
    }
    yield row
  }
}

/** Runs `read` and puts `file:line` before the place of the error that it throws. */
export function atLine<T>(path: string, line: Pick<Line, 'number'>, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw error instanceof BcodError ? errorAtLine(path, line.number, error) : error
  }
}

/** The error with `file:line` before its place. @param line  from 1 */
export const errorAtLine = (path: string, line: number, { code, message, place, remedy }: BcodError): BcodError =>
  new BcodError(code, message, { place: `${path}:${line}${place ? ` ${place}` : ''}`, remedy })

const linePosition = (path: string, line: Line): Position => ({
  topic: basename(path),
  partition: 0,
  offset: line.number,
})

const fileLine = ({ topic, offset }: Position): string => `${topic}:${offset}`

/** Milliseconds since the epoch. */
function eventTime({ attributes }: Envelope): number {
  const time = attributes?.time
  return (typeof time === 'string' && Date.parse(time)) || 0
}
