import type { Observable } from 'rxjs'
import type { BcodError } from '../errors.js'
import type { LogRecord } from '../events/types.js'

/** Records of one partition in offset order, as fetched at once. */
export interface RecordBatch {
  readonly partition: number
  readonly records: readonly LogRecord[]
  /** The offset after the last one read in this batch, records or not (control records and gaps are skipped over). */
  readonly nextOffset: number
  /** The offset that the next record to be written will get, as known when this batch was fetched. */
  readonly logEnd: number
  /**
   * The offset up to which records can be read: before `logEnd` where a transaction is open there.
   * @default logEnd
   */
  readonly readableEnd?: number
  /** What could not be read before `nextOffset`; then there are no records. */
  readonly unreadable?: Unreadable
}

/** Records that could not be taken apart: a batch of the log that is damaged, or too large once unpacked. */
export interface Unreadable {
  /** Stands for all of them: the first offset, no key, and as its value the batch as the log keeps it. */
  readonly record: LogRecord
  readonly range: OffsetRange
  readonly error: BcodError
}

/** The offsets that one dead letter stands for, from its record's to `lastOffset`. */
export interface OffsetRange {
  readonly lastOffset: number
  /** How many records the batch claims to have; there are gaps where the log was compacted. */
  readonly records: number
}

/** What the group gave this reader. */
export interface Assignment {
  readonly partitions: readonly number[]
  /** How many partitions the topic has. */
  readonly total: number
  /** First kept offset of each assigned partition, and the offset up to which records can be read. */
  readonly bounds: ReadonlyMap<number, { readonly start: number; readonly end: number }>
  /** The offset that the next record to be written will get. @default the end of `bounds` */
  readonly logEnds?: ReadonlyMap<number, number>
  /** Changes when the topic is deleted and created anew; null if the log does not tell. @default null */
  readonly topicId?: string | null
  /** Offsets committed by the group, where there are any. */
  readonly committed: ReadonlyMap<number, number>
}

/** A dead letter: the record unchanged, and why it could not be used. */
export interface DeadLetter {
  readonly record: LogRecord
  readonly code: string
  /** Says what is wrong and where, never the text itself. */
  readonly message: string
  readonly stage: string
  /** Where the letter stands for more than its record. */
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
   * Joins on subscription, leaves on unsubscription. `positionsFor` is called at each assignment and answers the
   * offset to read next for every assigned partition; its rejection ends the stream with that error.
   * An assignment of no partitions is reported too. `revoked` is called when an assignment ends, before the next.
   * The same partitions are assigned anew where the log may have become another one, or may have lost its end.
   * `grown` is called when the topic has got partitions that are not assigned yet, with their new number.
   * Where nothing new comes, a partition is reported every 2 s all the same, with an empty batch: it says where it ends.
   */
  read(hooks: {
    positionsFor(assignment: Assignment): Promise<ReadonlyMap<number, number>>
    revoked(): void
    grown?(total: number): void
  }): Observable<RecordBatch>
  /**
   * Stops and restarts fetching without leaving the group. After `resume` each partition is reported soon, with an empty
   * batch where nothing new is there: the reader learns whether it stands at the log's end.
   */
  pause(): void
  resume(): void
  /** How many readers the group has at present. Asked before this one joins: another daemon for the same adapter. */
  members(): Promise<number>
  /** Commits group offsets; rejects when this reader no longer owns the partitions. */
  commit(offsets: ReadonlyMap<number, number>): Promise<void>
  /** The record at a position, read apart from the stream; null if the log no longer holds it. */
  recordAt(partition: number, offset: number): Promise<LogRecord | null>
  /** How long the log keeps a record, milliseconds; null if it keeps all, or does not tell. */
  retentionMs(): Promise<number | null>
  /** Resolves when the dead-letter topic has acknowledged all of them. */
  writeDeadLetters(letters: readonly DeadLetter[]): Promise<void>
  close(): Promise<void>
}
