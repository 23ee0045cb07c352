import { damaged } from './budget.js'
import { crc32c } from './crc32c.js'
import { int64At } from './cursor.js'

/** Every batch begins with its base offset and the length of what follows, in all formats. */
const FRAME_BYTES = 12
const MAGIC_AT = 16
const RECORDS_AT = 61

/** Length of the batch at `at`, as its header states it. */
export const batchBytes = (bytes: Buffer, at: number): number => FRAME_BYTES + bytes.readInt32BE(at + 8)

/** The version of its format; 0 and 1 are those before Kafka 0.11. */
export const magicOf = (batch: Buffer): number => batch.readInt8(MAGIC_AT)

/** Statements of a batch header. */
export interface BatchClaims {
  readonly lastOffset: number
  /** The latest of its records. */
  readonly timestamp: number
  /** Its record count. */
  readonly count: number
}

/** The partition of a batch, and the offset below which records are skipped. */
export interface BatchPlace {
  readonly topic: string
  readonly partition: number
  readonly from: number
}

/** The shortest thing that has a version. */
export const MIN_BATCH_BYTES = MAGIC_AT + 1

/** A record batch of format v2, without its records. */
export interface BatchHeader {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly attributes: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  /** −1 if its producer has none. */
  readonly producerId: bigint
  readonly isTransactional: boolean
  readonly isControl: boolean
  /** Its record count. */
  readonly count: number
  /** Its records, packed or not. */
  readonly packed: Buffer
}

/**
 * @param batch  from its first byte to its last
 * @see https://kafka.apache.org/documentation/#recordbatch
 */
export function readHeader(batch: Buffer): BatchHeader {
  if (batch.length < RECORDS_AT) throw damaged('it is shorter than its header')
  const attributes = batch.readInt16BE(21)
  const baseOffset = int64At(batch, 0)
  return {
    ...{ baseOffset, attributes, lastOffset: baseOffset + batch.readInt32BE(23) },
    ...{ baseTimestamp: int64At(batch, 27), maxTimestamp: int64At(batch, 35), producerId: batch.readBigInt64BE(43) },
    ...{ isTransactional: (attributes & TRANSACTIONAL) !== 0, isControl: (attributes & CONTROL) !== 0 },
    ...{ count: batch.readInt32BE(57), packed: batch.subarray(RECORDS_AT) },
  }
}

/** Whether the bytes are those that its producer wrote. Its base offset and its length are not under the checksum. */
export const isChecksumRight = (batch: Buffer): boolean => batch.readUInt32BE(17) === crc32c(batch, 21)

/** @throws KAFKA_BATCH_DAMAGED if the header contradicts itself */
export function checkHeader({ baseOffset, lastOffset, count }: BatchHeader): void {
  if (baseOffset < 0 || lastOffset > MAX_OFFSET) throw damaged('its offset is none')
  // a compacted batch keeps its offsets and may have lost all its records
  if (lastOffset < baseOffset || count < 0 || count > lastOffset - baseOffset + 1)
    throw damaged('it claims more records than it has offsets')
}

/** What lies above cannot be told apart any more in a number: 285 years at a million records a second. */
export const MAX_OFFSET = 2 ** 53 - 2 ** 32

/** The broker stamps the records of the batch, all with its largest time. */
export const isAppendTime = (attributes: number): boolean => (attributes & APPEND_TIME) !== 0

const APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20
