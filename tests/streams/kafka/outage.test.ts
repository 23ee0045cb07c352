import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import { ensureTopic } from '../../../src/streams/kafka/topics.js'
import { type Broker, startBroker } from '../../support/kafka-broker.js'
import { OtherClient, Reading, until } from '../../support/kafka-reading.js'

describe('without a broker', () => {
  const connection = { brokers: ['127.0.0.1:1'], topic: 't', groupId: 'g', connectTimeout: 1000 }

  test.each([
    ['nobody listens', null],
    ['somebody listens and never answers', createServer()],
  ])('the start fails within the time given: %s', async (_, server) => {
    if (server) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const address = server?.address()
    const brokers = typeof address === 'object' && address ? [`127.0.0.1:${address.port}`] : connection.brokers
    const started = Date.now()
    const log = new KafkaFeedbackLog({ ...connection, brokers })
    const reading = new Reading(log)
    const unreachable = { code: 'KAFKA_UNREACHABLE', place: brokers[0] }
    await expect(log.clusterId()).rejects.toMatchObject(unreachable)
    await until(() => reading.error !== undefined)
    expect(reading.error).toMatchObject(unreachable)
    expect(Date.now() - started).toBeLessThan(2500)
    await log.close()
    server?.close()
  })

  test('closing does not wait for the time given', async () => {
    const log = new KafkaFeedbackLog({ ...connection, connectTimeout: 60_000 })
    const waiting = expect(log.clusterId()).rejects.toMatchObject({ code: 'KAFKA_CLOSED' })
    await sleep(300)
    const started = Date.now()
    await log.close()
    await waiting
    expect(Date.now() - started).toBeLessThan(1500)
  })

  test('creating a topic gives up within the time given', async () => {
    await expect(ensureTopic(connection, { topic: 't' })).rejects.toMatchObject({ code: 'KAFKA_UNREACHABLE' })
  })
})

describe('a broker killed and started again', () => {
  const dir = mkdtempSync(join(tmpdir(), 'bcod-outage-'))
  let broker: Broker
  let log: KafkaFeedbackLog

  beforeAll(async () => {
    broker = await startBroker({ dir })
    const brokers = [broker.bootstrap]
    await ensureTopic({ brokers }, { topic: 'feedback', partitions: 2 })
    log = new KafkaFeedbackLog({
      brokers,
      topic: 'feedback',
      groupId: 'g',
      sessionTimeout: 10_000,
      connectTimeout: 5000,
    })
  })

  afterAll(async () => {
    await log?.close()
    await broker?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  const produce = async (from: number) => {
    const other = await OtherClient.connect(broker.bootstrap)
    await other.count('feedback', from, 100, 2)
    await other.close()
  }
  const numbers = (count: number) => Array.from({ length: count }, (_, i) => String(i))

  test('reading, committing and dead letters go on, without gap or duplicate', async () => {
    const reading = new Reading(log, ({ partitions }) => new Map(partitions.map((p) => [p, reading.next.get(p) ?? 0])))
    await produce(0)
    await until(() => reading.records.length === 100)
    await log.commit(reading.next)

    await broker.kill()
    const committing = log.commit(reading.next)
    const [record] = reading.records
    const letter = log.writeDeadLetters([{ record: record!, code: 'C', message: 'm', stage: 's' }])
    await sleep(2000)
    broker = await startBroker({ dir, port: broker.port })
    const back = Date.now()
    await produce(100)
    await until(() => reading.records.length >= 200)
    expect(Date.now() - back).toBeLessThan(8000)
    await sleep(500)
    expect(reading.values.sort((a, b) => Number(a) - Number(b))).toEqual(numbers(200))
    expect(reading.error).toBeUndefined()
    await Promise.all([
      committing.catch((error) => expect(error).toMatchObject({ code: 'KAFKA_ASSIGNMENT_LOST' })),
      letter,
    ])
    await log.commit(reading.next)
  })

  test('closing during an outage ends within its limit', { timeout: 30_000 }, async () => {
    await broker.kill()
    await sleep(1000)
    const started = Date.now()
    await log.close()
    expect(Date.now() - started).toBeLessThan(5000)
  })
})
