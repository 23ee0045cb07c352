import kafkajs from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { registerCodecs } from '../../../src/streams/kafka/codecs.js'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import { type Broker, startBroker } from '../../support/kafka-broker.js'
import { OtherClient, Reading, until } from '../../support/kafka-reading.js'

const { CompressionCodecs, CompressionTypes } = kafkajs

let broker: Broker
let other: OtherClient

beforeAll(async () => {
  broker = await startBroker()
  other = await OtherClient.connect(broker.bootstrap)
}, 60_000)

afterAll(async () => {
  await other?.close()
  await broker?.stop()
})

const logOf = (topic: string) =>
  new KafkaFeedbackLog({ brokers: [broker.bootstrap], topic, groupId: topic, sessionTimeout: 6000 })

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

describe('before registerCodecs', () => {
  test('gzip is read, any other compression ends the stream with an error that names it', async () => {
    await other.topic('early-gzip', 1, { 'compression.type': 'gzip' })
    await other.send(
      'early-gzip',
      values.map((value) => ({ value })),
    )
    expect(await readBack('early-gzip')).toEqual(values)

    await other.topic('early-snappy', 1, { 'compression.type': 'snappy' })
    await other.send(
      'early-snappy',
      values.map((value) => ({ value })),
    )
    const failure = readBack('early-snappy')
    await expect(failure).rejects.toMatchObject({ code: 'KAFKA_CODEC_UNKNOWN', place: 'early-snappy' })
    await expect(failure).rejects.toThrow(/snappy/i)
    expect(await other.committed('early-snappy', 'early-snappy')).toEqual({ 0: '-1' })
  })
})

describe('after registerCodecs', () => {
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
