import type { Observable } from 'rxjs'
import type { BcodError } from '../errors.js'
import type { LogRecord } from '../events/types.js'

/** Records of one partition in offset order, as fetched at once. */
export interface RecordBatch {
  readonly partition: number
  readonly records: readonly LogRecord[]
  /** The offset after the last one read in this batch, records or not (control records and gaps are skipped over). */
  readonly nextOffset: number
  /** The high watermark (the offset of the next record to be written) when this batch was fetched. */
  readonly logEnd: number
  /**
   * The offset up to which records can be read (last stable offset): before `logEnd` if a transaction is open.
   * @default logEnd
   */
  readonly readableEnd?: number
  /** A range before `nextOffset` that could not be read; `records` is then empty. */
  readonly unreadable?: Unreadable
}

/** A batch that could not be decoded: it is damaged, or too large once decompressed. */
export interface Unreadable {
  /** A record in place of the batch: the first offset, no key, and the bytes of the batch as the value. */
  readonly record: LogRecord
  readonly range: OffsetRange
  readonly error: BcodError
}

/** The offsets that one dead letter covers, from its record's to `lastOffset`. */
export interface OffsetRange {
  readonly lastOffset: number
  /** The record count in the batch header; a compacted batch has gaps. */
  readonly records: number
}

/** The partitions that the group assigned to this consumer. */
export interface Assignment {
  readonly partitions: readonly number[]
  /** How many partitions the topic has. */
  readonly total: number
  /** Of each assigned partition: the earliest offset, and the offset up to which records can be read. */
  readonly bounds: ReadonlyMap<number, { readonly start: number; readonly end: number }>
  /** High watermarks. @default the ends of `bounds` */
  readonly logEnds?: ReadonlyMap<number, number>
  /** Changes when the topic is deleted and recreated; null if the log has no ids. @default null */
  readonly topicId?: string | null
  /** Offsets committed by the group, if any. */
  readonly committed: ReadonlyMap<number, number>
}

/** A dead letter: the record unchanged, and why it could not be used. */
export interface DeadLetter {
  readonly record: LogRecord
  readonly code: string
  /** Names the place and what is wrong, never the text itself. */
  readonly message: string
  readonly stage: string
  /** If the dead letter covers more than its record. */
  readonly range?: OffsetRange
}

/**
 * The durable log that feedback is read from: Kafka, or the embedded log of the demo.
 * The reader owns the positions: at each assignment it is asked where to read from.
 */
export interface FeedbackLog {
  readonly topic: string
  /** Identity of the log's cluster; a checkpoint made on another one is refused. */
  clusterId(): Promise<string>
  /**
   * Joins on subscription, leaves on unsubscription. `positionsFor` is called at each assignment and returns the next
   * offset to read of every assigned partition; if it rejects, the stream ends with that error. An assignment without
   * partitions is reported too. `revoked` is called when an assignment ends, before the next one. The same partitions
   * are assigned again if the log may have been replaced or truncated. `grown` is called with the new partition count
   * when the topic has partitions that are not assigned yet. A partition without new records is reported every 2 s with
   * an empty batch, which carries its end.
   */
  read(hooks: {
    positionsFor(assignment: Assignment): Promise<ReadonlyMap<number, number>>
    revoked(): void
    grown?(total: number): void
  }): Observable<RecordBatch>
  /**
   * Stops and restarts fetching without leaving the group. After `resume` each partition is reported soon, with an empty
   * batch if it has no new records, so that the reader learns whether it is at the end of the log.
   */
  pause(): void
  resume(): void
  /** Number of members of the group, before this one joins: another daemon for the same adapter. */
  members(): Promise<number>
  /** Commits group offsets; rejects when this reader no longer owns the partitions. */
  commit(offsets: ReadonlyMap<number, number>): Promise<void>
  /** The record at a position, read separately from the stream; null if the log no longer has it. */
  recordAt(partition: number, offset: number): Promise<LogRecord | null>
  /** Retention time, milliseconds; null if unlimited or unknown. */
  retentionMs(): Promise<number | null>
  /** Resolves when the dead-letter topic has acknowledged all of them. */
  writeDeadLetters(letters: readonly DeadLetter[]): Promise<void>
  close(): Promise<void>
}
