import { createRequire } from 'node:module'
import { gzipSync } from 'node:zlib'
import { compressSync } from 'snappy'
import { expect, test } from 'vitest'
import { portions } from '../../../src/streams/wire/portions.js'
import { CODEC } from '../../support/record-batches.js'

const require = createRequire(import.meta.url)

/** kafkajs still has encoders of the formats before Kafka 0.11; they write no offsets, a broker does. */
type Encoder = { readonly buffer: Buffer }
type Message = (fields: {
  compression?: number
  timestamp?: number
  key: Buffer | null
  value: Buffer | null
}) => Encoder
const encoders = {
  0: require('kafkajs/src/protocol/message/v0') as Message,
  1: require('kafkajs/src/protocol/message/v1') as Message,
}

function message(magic: 0 | 1, offset: number, value: Buffer, attributes = 0, timestamp = 1_500_000_000_000): Buffer {
  const { buffer } = encoders[magic]({ compression: attributes, timestamp, key: Buffer.from('k'), value })
  const head = Buffer.alloc(12)
  head.writeBigInt64BE(BigInt(offset))
  head.writeInt32BE(buffer.length, 8)
  return Buffer.concat([head, buffer])
}

const read = (messages: readonly Buffer[], from = 0) => [
  ...portions({ topic: 't', partition: 0, bytes: Buffer.concat(messages), aborted: [], highWatermark: 1_000 }, from, {
    maxBatchBytes: 1 << 20,
  }),
]

test.each([0, 1] as const)('messages of format v%i are read, one by one and packed together', (magic) => {
  const text = (value: string) => Buffer.from(value)
  // the offsets within a packed message are those of the log in v0, and count from 0 in v1
  const within = (at: number) => (magic === 0 ? 10 + at : at)
  const inner = Buffer.concat([0, 1, 2].map((at) => message(magic, within(at), text(`packed ${at}`))))
  const log = [
    ...[message(magic, 8, text('first')), message(magic, 9, text('second'))],
    ...[message(magic, 12, gzipSync(inner), CODEC.gzip), message(magic, 13, text('last'))],
  ]
  const found = read(log, 9)
  const records = found.flatMap((portion) => portion.records)
  expect(records.map(({ offset, value }) => `${offset} ${value}`)).toEqual([
    ...['9 second', '10 packed 0', '11 packed 1', '12 packed 2', '13 last'],
  ])
  expect(records.every(({ timestamp }) => timestamp === (magic === 0 ? -1 : 1_500_000_000_000))).toBe(true)
  expect(found.at(-1)?.nextOffset).toBe(14)
})

test('an old message that cannot be read is one range, and what follows is read', () => {
  const bad = message(1, 12, compressSync(Buffer.from('no messages')), CODEC.snappy)
  const flipped = message(1, 13, Buffer.from('flipped'))
  flipped[flipped.length - 1]! ^= 1
  const found = read([bad, flipped, message(1, 14, Buffer.from('good'))], 10)
  expect(
    found.map(({ unreadable, nextOffset }) => [unreadable?.error.code, unreadable?.record.offset, nextOffset]),
  ).toEqual([
    ['KAFKA_BATCH_DAMAGED', 10, 13],
    ['KAFKA_BATCH_DAMAGED', 13, 14],
    [undefined, undefined, 15],
  ])
})
