import { BcodError } from '../../errors.js'
import { positionId } from '../../events/position.js'
import { RECORD_BYTES } from '../event-bytes.js'
import type { ReadRecord } from '../headers.js'
import type { Unreadable } from '../source.js'
import { batchBytes, MAX_OFFSET, MIN_BATCH_BYTES } from './batch-header.js'
import { Budget } from './budget.js'
import { int64At } from './cursor.js'
import { type Batch, readBatch } from './read-batch.js'
import { type AbortedTransaction, AbortedTransactions } from './transactions.js'

/** The fetch response for one partition, not yet decoded. */
export interface FetchedPartition {
  readonly topic: string
  readonly partition: number
  /** Whole batches, of which the first contains the requested offset; the last may be incomplete. */
  readonly bytes: Buffer
  readonly aborted: readonly AbortedTransaction[]
  /** The offset that the next record to be written will get. */
  readonly highWatermark: number
}

/** Some records of a fetch, or one batch that could not be read. */
export interface Portion {
  readonly records: readonly ReadRecord[]
  /** The offset to read next: after the last batch that this portion comes from, or of the batch's next record. */
  readonly nextOffset: number
  /** More records of the same batches follow. */
  readonly isPart?: true
  readonly unreadable?: Unreadable
}

export interface PortionOptions {
  /** What one batch may take in memory once it is unpacked. */
  readonly maxBatchBytes: number
  /** A portion ends with the batch that fills it. @default 1 MiB */
  readonly portionBytes?: number
}

const DEFAULT_PORTION = 1 << 20
/** A larger portion is emitted in parts, so that the consumer can yield to the event loop in between. */
const PART_BYTES = 1 << 18

/**
 * Decodes a fetch lazily, batch by batch: one decompressed batch is in memory at a time, and a caller that stops early
 * continues from the `nextOffset` of the last portion.
 *
 * Positions follow batches. Control batches, aborted ones and those that compaction left without records move the
 * position and give nothing. A batch is read whole or not at all: what is damaged or too large is `unreadable`, as one
 * range. The beginning of a batch at the end of the bytes is left for the next fetch.
 *
 * @param from  the offset to read next; records before it are skipped
 * @throws KAFKA_BATCH_DAMAGED if the bytes do not contain the requested batch, which no broker does
 */
export function* portions(fetched: FetchedPartition, from: number, options: PortionOptions): Generator<Portion> {
  const { topic, partition, bytes } = fetched
  const { maxBatchBytes, portionBytes = DEFAULT_PORTION } = options
  const transactions = new AbortedTransactions(fetched.aborted)
  let records: ReadRecord[] = []
  let spent = 0
  let next = from
  let handedOn = from
  for (let at = 0; at + MIN_BATCH_BYTES <= bytes.length; ) {
    const size = batchBytes(bytes, at)
    if (size < MIN_BATCH_BYTES || size > bytes.length - at) break
    const batch = bytes.subarray(at, at + size)
    at += size
    const budget = new Budget(maxBatchBytes)
    const before = records.length
    const read = readBatch(batch, { topic, partition, from: next }, transactions, budget, records)
    if (read.error !== null) {
      records.length = before
      if (!read.isChecked && followingOffset(bytes, at) <= next) continue // it ends before the offset to read next
      if (next > handedOn) yield* parts(records, next)
      const unreadable = unreadableBatch(batch, read, read.error, fetched, next, followingOffset(bytes, at))
      next = handedOn = unreadable.range.lastOffset + 1
      yield { records: [], nextOffset: next, unreadable }
      // it may have been an end marker; the broker's next list will know
      if (!read.isChecked && transactions.pending) return
    } else {
      next = Math.max(next, read.lastOffset + 1)
      spent += budget.spent
      if (spent < portionBytes) continue
      if (next > handedOn) yield* parts(records, next)
      handedOn = next
    }
    records = []
    spent = 0
  }
  if (next > handedOn) yield* parts(records, next)
  if (next > from || bytes.length === 0) return
  const place = positionId({ topic, partition, offset: from })
  throw new BcodError('KAFKA_BATCH_DAMAGED', `${bytes.length} bytes from the broker hold no batch with this offset`, {
    place,
  })
}

/** Splits the records into parts of about `PART_BYTES`. */
function* parts(records: readonly ReadRecord[], nextOffset: number): Generator<Portion> {
  let begin = 0
  let bytes = 0
  for (const [i, { key, value }] of records.entries()) {
    if (bytes >= PART_BYTES) {
      yield { records: records.slice(begin, i), nextOffset: records[i]!.offset, isPart: true }
      begin = i
      bytes = 0
    }
    bytes += RECORD_BYTES + (key?.byteLength ?? 0) + (value?.byteLength ?? 0)
  }
  yield { records: begin === 0 ? records : records.slice(begin), nextOffset }
}

/** Where the batch at `at` begins, as far as it is there. */
const followingOffset = (bytes: Buffer, at: number): number =>
  bytes.length - at < 8 ? Number.POSITIVE_INFINITY : int64At(bytes, at)

/**
 * The range of a batch that could not be read. Where its checksum does not fit, its last offset is doubtful: the range
 * then ends before the batch behind it, or before the end of the log.
 */
function unreadableBatch(
  batch: Buffer,
  { lastOffset, timestamp, count, isChecked }: Batch,
  error: BcodError,
  { topic, partition, highWatermark }: FetchedPartition,
  next: number,
  following: number,
): Unreadable {
  const claimed = lastOffset <= MAX_OFFSET ? Math.max(lastOffset, next) : next
  const bounds = isChecked ? [] : [following - 1, highWatermark - 1].filter((bound) => bound >= next)
  const end = Math.min(claimed, ...bounds)
  return {
    // its own bytes: a letter that waits must not keep the whole fetch in memory
    record: { topic, partition, offset: next, timestamp, key: null, value: Buffer.from(batch), headers: {} },
    range: { lastOffset: end, records: Math.min(Math.max(count, 0), end - next + 1) },
    error: new BcodError(error.code, error.message, { place: positionId({ topic, partition, offset: next }) }),
  }
}
