import { BcodError } from '../../errors.js'
import { RECORD_BYTES } from '../event-bytes.js'
import type { ReadRecord } from '../headers.js'
import {
  type BatchClaims,
  type BatchHeader,
  type BatchPlace,
  checkHeader,
  isAppendTime,
  isChecksumRight,
  magicOf,
  readHeader,
} from './batch-header.js'
import { type Budget, damaged } from './budget.js'
import { int64At } from './cursor.js'
import { readMessage } from './message.js'
import { readRecords } from './records.js'
import type { AbortedTransactions } from './transactions.js'
import { unpack } from './unpack.js'

/** The header's statements, and the error if the batch could not be read. */
export interface Batch extends BatchClaims {
  /** Whether its checksum matches: the statements are then its producer's. */
  readonly isChecked: boolean
  readonly error: BcodError | null
}

/**
 * Adds the records of one batch to `into`, or some of them if it could not be read to its end. Never throws: no batch may
 * stop the consumer.
 *
 * @param batch  from its first byte to its last, at least 17
 */
export function readBatch(
  batch: Buffer,
  place: BatchPlace,
  transactions: AbortedTransactions,
  budget: Budget,
  into: ReadRecord[],
): Batch {
  // until its header is read: the first eight bytes are an offset in all formats
  let claims: BatchClaims = { lastOffset: int64At(batch, 0), timestamp: -1, count: 0 }
  let isChecked = false
  try {
    const magic = magicOf(batch)
    if (magic === 0 || magic === 1) return { ...readMessage(batch, place, budget, into), isChecked: true, error: null }
    if (magic !== 2) throw damaged(`it is of version ${magic}, which Kafka does not have`)
    const header = readHeader(batch)
    claims = { lastOffset: header.lastOffset, timestamp: header.maxTimestamp, count: header.count }
    isChecked = isChecksumRight(batch)
    if (!isChecked) throw damaged('its checksum does not fit')
    const error = header.isControl
      ? readControl(header, place, transactions, budget)
      : readVotes(header, place, transactions, budget, into)
    return { ...claims, isChecked, error }
  } catch (error) {
    return { ...claims, isChecked, error: coded(error) }
  }
}

function readVotes(
  header: BatchHeader,
  place: BatchPlace,
  transactions: AbortedTransactions,
  budget: Budget,
  into: ReadRecord[],
): null {
  checkHeader(header)
  const { lastOffset, count } = header
  if (!transactions.has(header) && lastOffset >= place.from && count > 0) unpackRecords(header, place, budget, into)
  return null
}

/** Nobody's votes: a control batch gives nothing, and ends its producer's transaction whether or not it can be read. */
function readControl(
  header: BatchHeader,
  place: BatchPlace,
  transactions: AbortedTransactions,
  budget: Budget,
): BcodError | null {
  const records: ReadRecord[] = []
  let error: BcodError | null = null
  try {
    checkHeader(header)
    transactions.has(header)
    if (header.count > 0) unpackRecords(header, { ...place, from: 0 }, budget, records)
  } catch (cause) {
    error = coded(cause)
  }
  transactions.marked(header, records[0] ?? null)
  return error
}

function unpackRecords(header: BatchHeader, place: BatchPlace, budget: Budget, into: ReadRecord[]): void {
  const { attributes, count, maxTimestamp, packed } = header
  budget.spend(RECORD_BYTES * count)
  const plain = unpack(attributes, packed, budget)
  readRecords(plain, { ...place, ...header, appendTime: isAppendTime(attributes) ? maxTimestamp : null }, budget, into)
}

/** A bug must not stop the consumer either. Only its class is named: the message may quote the batch. */
const coded = (error: unknown): BcodError =>
  error instanceof BcodError
    ? error
    : damaged(`it cannot be taken apart (${error instanceof Error ? error.name : typeof error})`)
