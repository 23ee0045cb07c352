import { createHash } from 'node:crypto'
import type { IHeaders, Message } from 'kafkajs'
import { printableLine } from '../../printable.js'
import type { DeadLetter } from '../source.js'
import { headersOf, toBuffer } from './records.js'

/** Kafka's own default of max.message.bytes. */
export const DEFAULT_MESSAGE_BYTES = 1_048_588

/** Bytes of a batch with one record besides its key, value and headers; exactly 61 and up to 21 bytes. */
const BATCH_OVERHEAD = 128
const HEADER_OVERHEAD = 10

export interface DeadLetterMessage extends Message {
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: IHeaders
}

/**
 * The dead letter as a Kafka message of at most `limit` bytes: key, value and headers unchanged, and why the record
 * could not be used in `bcod.error.*`. If it does not fit, it is cut: the value first, then the record's headers, then
 * the key. A cut value is replaced by its beginning, with its length and SHA-256 in headers.
 */
export function deadLetterMessage(dead: DeadLetter, limit: number): DeadLetterMessage {
  const { record } = dead
  const key = record.key && toBuffer(record.key)
  const value = record.value && toBuffer(record.value)
  const whole: DeadLetterMessage = { key, value, headers: { ...headersOf(record), ...reason(dead) } }
  if (messageBytes(whole) <= limit) return whole

  const mark = { ...reason(dead), ...(value && fingerprint(value)) }
  const candidates: DeadLetterMessage[] = [
    { key, value: null, headers: { ...headersOf(record), ...mark } },
    { key, value: null, headers: { ...mark, [CUT]: 'value,headers' } },
    { key: null, value: null, headers: { ...mark, [CUT]: 'value,headers,key' } },
  ]
  const fitting = candidates.find((each) => messageBytes(each) <= limit) ?? candidates[2]!
  const room = Math.max(0, limit - messageBytes(fitting))
  return { ...fitting, value: value === null ? null : value.subarray(0, room) }
}

const CUT = 'bcod.error.cut'

/** An upper bound for the bytes of the message as a batch of its own. */
export const messageBytes = ({ key, value, headers }: DeadLetterMessage): number =>
  BATCH_OVERHEAD +
  (key?.length ?? 0) +
  (value?.length ?? 0) +
  Object.entries(headers).reduce((sum, [name, value]) => sum + headerBytes(name, value), 0)

/** Messages in order, grouped so that each group fits a batch of `limit` bytes. */
export function inRequests(letters: readonly DeadLetterMessage[], limit: number): DeadLetterMessage[][] {
  const groups: DeadLetterMessage[][] = []
  let room = 0
  for (const letter of letters) {
    const size = messageBytes(letter)
    if (groups.length === 0 || size > room) {
      groups.push([])
      room = limit
    }
    groups.at(-1)?.push(letter)
    room -= size
  }
  return groups
}

function reason({ record, code, message, stage, range }: DeadLetter): Record<string, string> {
  const { topic, partition, offset } = record
  return {
    'bcod.error.id': `${topic}-${partition}-${offset}`,
    'bcod.error.code': code,
    'bcod.error.message': printableLine(message),
    'bcod.error.stage': stage,
    'bcod.error.topic': topic,
    'bcod.error.partition': String(partition),
    'bcod.error.offset': String(offset),
    ...(range && { 'bcod.error.last_offset': String(range.lastOffset), 'bcod.error.records': String(range.records) }),
  }
}

const fingerprint = (value: Buffer): Record<string, string> => ({
  'bcod.error.value.length': String(value.length),
  'bcod.error.value.sha256': createHash('sha256').update(value).digest('hex'),
})

function headerBytes(name: string, value: IHeaders[string]): number {
  const values = Array.isArray(value) ? value : [value]
  return values.reduce((sum, each) => sum + HEADER_OVERHEAD + Buffer.byteLength(name) + toBuffer(each).length, 0)
}
