import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import kafkajs from 'kafkajs'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { beforeAll, describe, expect, test } from 'vitest'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import { registerCodecs } from '../../support/codecs.js'
import { type OtherClient, Reading, until } from '../../support/kafka-reading.js'
import { xerial, zstdBomb, zstdFrame, zstdRaw } from '../../support/packed.js'
import { CODEC, encodeBatch, encodeRecords, RawProducer } from '../../support/record-batches.js'
import { TestBroker } from '../../support/test-broker.js'
import { thorough } from '../../support/thorough.js'

const { CompressionCodecs, CompressionTypes } = kafkajs

const kafka = new TestBroker('codecs')
let other: OtherClient

beforeAll(() => {
  other = kafka.client
})

const logOf = (topic: string) =>
  new KafkaFeedbackLog({ brokers: [kafka.broker.bootstrap], topic, groupId: topic, sessionTimeout: 6000 })

/** Longer than snappy's 32 KiB block and lz4's 64 KiB, with parts that compress and parts that hardly do. */
const values = Array.from({ length: 300 }, (_, i) => `${i} ${'thumbs up '.repeat(i % 40)} ${Math.sin(i) * 1e17}`)

async function readBack(topic: string): Promise<string[]> {
  const log = logOf(topic)
  const reading = new Reading(log)
  await until(() => reading.records.length >= values.length || reading.error !== undefined)
  await log.close()
  if (reading.error) throw reading.error
  return reading.values
}

describe('each codec', () => {
  beforeAll(registerCodecs)

  // a topic with compression.type has the broker, Java, compress whatever comes in
  test.each(['gzip', 'snappy', 'lz4', 'zstd'])('reads what the Java implementation packed with %s', async (codec) => {
    const topic = await other.topic(`java-${codec}`, 1, { 'compression.type': codec })
    await other.send(
      topic,
      values.map((value) => ({ value })),
    )
    expect(await readBack(topic)).toEqual(values)
  })

  // the broker unpacks every batch that it is sent, to check it
  test.each([
    ['gzip', CompressionTypes.GZIP],
    ['snappy', CompressionTypes.Snappy],
    ['lz4', CompressionTypes.LZ4],
  ])('packs with %s what the broker accepts and reads it back', async (codec, type) => {
    const topic = await other.topic(`own-${codec}`)
    await other.send(
      topic,
      values.map((value) => ({ value })),
      type,
    )
    expect(await readBack(topic)).toEqual(values)
  })

  test('reads bare snappy blocks, as librdkafka and Go send them', async () => {
    const { compress } = await import('snappy')
    const bare = Buffer.from(await compress('thumbs up '.repeat(50)))
    const codec = CompressionCodecs[CompressionTypes.Snappy]?.()
    expect((await codec.decompress(bare)).toString()).toBe('thumbs up '.repeat(50))
  })

  test('a damaged batch is an error that cannot be retried', async () => {
    const { Snappy, LZ4, ZSTD } = CompressionTypes
    for (const codec of [CompressionCodecs[Snappy], CompressionCodecs[LZ4], CompressionCodecs[ZSTD]])
      await expect(codec().decompress(Buffer.from('not packed at all'))).rejects.toMatchObject({
        retriable: false,
        cause: { code: 'KAFKA_BATCH_DAMAGED' },
      })
  })

  test('zstd cannot be written', async () => {
    const topic = await other.topic('own-zstd')
    await expect(other.send(topic, [{ value: 'x' }], CompressionTypes.ZSTD)).rejects.toThrow(/zstd/)
  })
})

/** A batch of one record, as a client sends it, and what is right to read of it: null where either will do. */
interface Sent {
  readonly name: string
  readonly batch: Buffer
  readonly value: string | null
}

const RECORD = encodeRecords([{ key: Buffer.from('k'), value: Buffer.from('a vote of somebody') }])
const [FIRST, SECOND] = [RECORD.subarray(0, 9), RECORD.subarray(9)]
const { gzip, snappy, lz4, zstd } = CODEC
const SKIPPABLE = Buffer.from([0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3])
const packedAs = (attributes: number, packed: Buffer): Buffer => encodeBatch(packed, 1, { attributes })

/** Unusual, and taken by a broker. */
const UNUSUAL: readonly Sent[] = (
  [
    ['gzip in two members', gzip, Buffer.concat([gzipSync(FIRST), gzipSync(SECOND)])],
    ['gzip with bytes behind it', gzip, Buffer.concat([gzipSync(RECORD), Buffer.from('garbage')])],
    ['gzip with an empty member', gzip, Buffer.concat([gzipSync(RECORD), gzipSync('')])],
    ['a bare snappy block', snappy, compressSync(RECORD)],
    ['framed snappy with an empty block', snappy, xerial([compressSync(''), compressSync(RECORD)])],
    ['two snappy streams', snappy, Buffer.concat([xerial([compressSync(FIRST)]), xerial([compressSync(SECOND)])])],
    [
      'framed snappy with three bytes behind it',
      snappy,
      Buffer.concat([xerial([compressSync(RECORD)]), Buffer.alloc(3)]),
    ],
    ['an LZ4 frame with checksums', lz4, compressFrameSync(RECORD, { contentChecksum: true, blockChecksums: true })],
    ['an LZ4 frame with bytes behind it', lz4, Buffer.concat([compressFrameSync(RECORD), Buffer.from('garbage')])],
    ['two zstd frames', zstd, Buffer.concat([zstdFrame([zstdRaw(FIRST)]), zstdFrame([zstdRaw(SECOND)])])],
    ['skippable zstd frames', zstd, Buffer.concat([SKIPPABLE, zstdFrame([zstdRaw(RECORD)]), SKIPPABLE])],
    ['an empty zstd frame', zstd, Buffer.concat([zstdFrame([]), zstdFrame([zstdRaw(RECORD)])])],
    ['a zstd window of 128 MiB', zstd, zstdFrame([zstdRaw(RECORD)], { window: 17 << 3 })],
    ['a zstd dictionary of number 0', zstd, zstdFrame([zstdRaw(RECORD)], { flags: 1, fields: Buffer.from([0]) })],
  ] as const
).map(([name, codec, packed]) => ({ name, batch: packedAs(codec, packed), value: 'a vote of somebody' }))

const noTwo = (deltas: readonly number[]) => encodeRecords(deltas.map((offsetDelta) => ({ offsetDelta })))

/** What nobody sends who means well. A broker takes some of it. */
const HOSTILE: readonly Sent[] = [
  { name: 'offsets that repeat', batch: encodeBatch(noTwo([0, 0]), 2), value: null },
  { name: 'offsets that go back', batch: encodeBatch(noTwo([1, 0]), 2), value: null },
  { name: 'an offset far ahead', batch: encodeBatch(noTwo([0, 1_000_000]), 2), value: null },
  { name: 'more headers than bytes', batch: encodeBatch(encodeRecords([{ headerCount: 1_000_000 }]), 1), value: null },
  { name: 'a bomb', batch: packedAs(zstd, zstdFrame(zstdBomb(64 * 2 ** 20))), value: null },
  { name: 'a codec without a name', batch: packedAs(5, RECORD), value: null },
]

/** Batches with some bytes changed, their checksums right again. */
function mutated(count: number): Sent[] {
  const whole: (readonly [number, Buffer])[] = [
    ...[[0, RECORD] as const, [gzip, gzipSync(RECORD)] as const, [snappy, compressSync(RECORD)] as const],
    ...[
      [snappy, xerial([compressSync(FIRST), compressSync(SECOND)])] as const,
      [lz4, compressFrameSync(RECORD)] as const,
    ],
    ...[[zstd, zstdFrame([zstdRaw(FIRST), zstdRaw(SECOND)])] as const],
  ]
  const change = fc.tuple(fc.nat(10_000), fc.nat(255))
  const batch = fc.tuple(fc.constantFrom(...whole), fc.array(change, { minLength: 1, maxLength: 2 }), fc.nat(9))
  return fc.sample(batch, count).map(([[attributes, packed], changes, cut], i) => {
    const bytes = Buffer.from(packed)
    for (const [at, value] of changes) bytes[at % bytes.length] = value
    const kept = bytes.subarray(0, cut === 0 ? bytes.length - 1 : bytes.length)
    return { name: `mutated ${i}`, batch: encodeBatch(kept, 1, { attributes }), value: null }
  })
}

test('whatever a broker takes is read, or is one range that cannot be read; it never ends the reading', async () => {
  // the times in these batches are long past
  const topic = await other.topic('differential', 1, { 'max.message.bytes': '10000000', 'retention.ms': '-1' })
  const producer = new RawProducer(kafka.broker.bootstrap)
  const sent = [...UNUSUAL, ...HOSTILE, ...mutated(thorough ? 10_000 : 150)]
  const taken: (Sent & { readonly offset: number })[] = []
  for (const each of sent) {
    const { error, offset } = await producer.send(topic, each.batch)
    if (error === 0) taken.push({ ...each, offset })
  }
  await other.send(topic, [{ value: 'the end' }])
  const end = Number((await other.admin.fetchTopicOffsets(topic))[0]!.high)

  const log = logOf(topic)
  const reading = new Reading(log)
  await until(() => reading.next.get(0) === end || reading.error !== undefined, 60_000)
  await log.close()
  expect(reading.error).toBeUndefined()

  const read = new Map(reading.records.map(({ offset, value }) => [offset, Buffer.from(value ?? []).toString()]))
  const unreadable = reading.batches.flatMap(({ unreadable }) => (unreadable ? [unreadable] : []))
  expect(read.size).toBe(reading.records.length)
  for (const [i, { name, offset, value }] of taken.entries()) {
    const last = (taken[i + 1]?.offset ?? end - 1) - 1
    const records = [...read.keys()].filter((each) => each >= offset && each <= last)
    const found = unreadable.filter(({ record }) => record.offset >= offset && record.offset <= last)
    expect({ name, ranges: found.length, read: records.length > 0 }).toEqual({
      ...{ name, ranges: records.length > 0 ? 0 : 1, read: value !== null || records.length > 0 },
    })
    if (value !== null) expect(read.get(offset)).toBe(value)
    if (found[0]) expect([found[0].record.offset, found[0].range.lastOffset]).toEqual([offset, last])
  }
  expect(read.get(end - 1)).toBe('the end')
  expect(taken.slice(0, UNUSUAL.length).map(({ name }) => name)).toEqual(UNUSUAL.map(({ name }) => name))
  expect(unreadable.map(({ error }) => error.code)).toContain('KAFKA_BATCH_TOO_LARGE')
})
