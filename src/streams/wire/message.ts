import { crc32 } from 'node:zlib'
import { RECORD_BYTES } from '../event-bytes.js'
import type { ReadRecord } from '../headers.js'
import type { BatchClaims, BatchPlace } from './batch-header.js'
import { type Budget, damaged } from './budget.js'
import { Cursor } from './cursor.js'
import { CODEC_MASK, unpack } from './unpack.js'

/** A message of the formats before Kafka 0.11, as old segments of a log still hold them. */
interface Message {
  readonly magic: number
  readonly offset: number
  readonly attributes: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
}

/**
 * Reads a message of format v0 or v1, or all those that a compressed one wraps.
 *
 * @throws KAFKA_BATCH_DAMAGED, KAFKA_BATCH_TOO_LARGE, KAFKA_CODEC_UNKNOWN
 * @see https://kafka.apache.org/documentation/#messageset
 */
export function readMessage(bytes: Buffer, place: BatchPlace, budget: Budget, into: ReadRecord[]): BatchClaims {
  const outer = message(new Cursor(bytes))
  const add = (offset: number, { timestamp, key, value }: Message) => {
    const { topic, partition, from } = place
    if (offset >= from) into.push({ topic, partition, offset, timestamp, key, value, headers: {} })
  }
  const { attributes, offset: lastOffset, timestamp, value } = outer
  if ((attributes & CODEC_MASK) === 0) {
    budget.spend(bytes.length + RECORD_BYTES)
    add(lastOffset, outer)
    return { lastOffset, timestamp, count: 1 }
  }
  if (value === null) throw damaged('a compressed message has no value')
  const cursor = new Cursor(unpack(attributes, value, budget))
  const inner: Message[] = []
  while (cursor.left > 0) {
    budget.spend(RECORD_BYTES)
    inner.push(message(cursor))
  }
  // in v1 the offsets within are relative, and the wrapper has that of the last one
  const base = outer.magic === 1 ? lastOffset - (inner.at(-1)?.offset ?? 0) : 0
  let previous = -1
  for (const each of inner) {
    const offset = base + each.offset
    if (offset <= previous || offset > lastOffset) throw damaged('the offsets of its messages are not in order')
    previous = offset
    add(offset, outer.attributes & APPEND_TIME ? { ...each, timestamp } : each)
  }
  return { lastOffset, timestamp, count: inner.length }
}

const APPEND_TIME = 0x08
/** In v0 there is no time. */
const NO_TIME = -1

function message(cursor: Cursor): Message {
  const offset = cursor.int64()
  const size = cursor.int32()
  if (size < 0 || size > cursor.left) throw damaged('a message claims more bytes than are there')
  const end = cursor.at + size
  const all = cursor.end
  cursor.end = end
  const checksum = cursor.int32() >>> 0
  if (checksum !== crc32(cursor.bytes.subarray(cursor.at, end))) throw damaged('its checksum does not fit')
  const magic = cursor.int8()
  if (magic !== 0 && magic !== 1) throw damaged('messages of different versions are in one')
  const attributes = cursor.int8()
  const timestamp = magic === 1 ? cursor.int64() : NO_TIME
  const key = cursor.slice(cursor.int32())
  const value = cursor.slice(cursor.int32())
  if (cursor.at !== end) throw damaged('a message is longer than its fields')
  cursor.end = all
  return { magic, offset, attributes, timestamp, key, value }
}
