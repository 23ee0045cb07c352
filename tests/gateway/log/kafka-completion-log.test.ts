import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { BcodError } from '../../../src/errors.js'
import { type Completion, choiceId, newCompletionId } from '../../../src/gateway/completion.js'
import { KafkaCompletionLog } from '../../../src/gateway/log/kafka-completion-log.js'
import { encodeCompletion } from '../../../src/gateway/log/record.js'
import { completion } from '../../support/completions.js'
import { startBroker } from '../../support/kafka-broker.js'
import { until } from '../../support/kafka-reading.js'
import { OwnBroker, TestBroker } from '../../support/test-broker.js'

const kafka = new TestBroker('completion-log')
const own = new OwnBroker('completion-log-away')
const HOUR = 3_600_000

/** A replica's log, and what it was told. */
function replica(topic: string, broker = kafka.broker.bootstrap) {
  const told = { logged: 0, lost: [] as (string | null)[], changes: [] as (string | null)[] }
  const log = new KafkaCompletionLog({
    ...{ connection: { brokers: [broker], connectTimeout: 2000 }, topic, source: 'bcod-gateway', maxAnswer: HOUR },
    told: {
      logged: (count) => {
        told.logged += count
      },
      lost: (count, cause) => told.lost.push(...Array<string | null>(count).fill(cause?.code ?? null)),
      changed: (problem) => told.changes.push(problem?.code ?? null),
    },
  })
  onTestFinished(() => log.close())
  return { log, told }
}

const at = (time: number) => completion({ time: new Date(time), id: newCompletionId(new Date(time)) })
const record = (log: KafkaCompletionLog, answers: readonly Completion[]) => answers.map((each) => log.record(each))
const codeOf = (thrown: Promise<unknown>) =>
  thrown.then(
    () => 'found',
    (error: BcodError) => error.code,
  )

describe('the completions topic', () => {
  it('has the answers of one replica for another one, whatever their partition', async () => {
    const topic = await kafka.client.topic('answers', 3)
    const { log, told } = replica(topic)
    await until(() => log.available)
    const answers = Array.from({ length: 300 }, (_, i) => at(Date.now() - 1000 + i))
    const second = { ...answers[7]!, id: choiceId(answers[7]!.id, 1), completion: 'Tomorrow.' }
    record(log, [...answers, second])
    await until(() => told.logged === 301)

    const other = replica(topic).log
    for (const answer of [...answers.slice(0, 20), ...answers.slice(-20), second])
      expect(await other.find(answer.id)).toEqual(answer)
    expect(told).toEqual({ logged: 301, lost: [], changes: [null] })
  })

  it('is searched in every partition: more may have been added since', async () => {
    const topic = await kafka.client.topic('answers-grown')
    const { log, told } = replica(topic)
    const answers = Array.from({ length: 8 }, () => at(Date.now()))
    record(log, answers)
    await until(() => told.logged === 8)
    await kafka.client.admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
    await kafka.client.count(topic, 0, 4, 4)

    const other = replica(topic).log
    for (const answer of answers) expect(await other.find(answer.id)).toEqual(answer)
  })

  it.each([-50, 0, 50, 1800])('has an answer that the clocks put %d s from its request', async (seconds) => {
    const topic = await kafka.client.topic(`answers-skew${seconds}`)
    const answer = at(Date.now() - 2 * HOUR)
    const between = Array.from({ length: 20 }, () => at(answer.time.getTime()))
    const written = String(answer.time.getTime() + seconds * 1000)
    const records = [...between, answer].map((each) => ({
      key: each.id,
      value: encodeCompletion(each, 'bcod-gateway'),
    }))
    await kafka.client.send(
      topic,
      records.map((each) => ({ ...each, timestamp: written })),
    )
    expect(await replica(topic).log.find(answer.id)).toEqual(answer)
  })

  it('has no answer under an id of another gateway, nor under what other programs wrote', async () => {
    const topic = await kafka.client.topic('answers-unknown')
    const id = newCompletionId(new Date(Date.now() - 2 * HOUR))
    await kafka.client.send(topic, [{ key: id, value: 'hello', timestamp: String(Date.now() - 2 * HOUR) }])
    const { log } = replica(topic)
    expect(await log.find(newCompletionId(new Date(Date.now() - 2 * HOUR)))).toBeNull()
    expect(await log.find(id)).toBeNull()
    expect(await log.find('no id')).toBeNull()
  })

  it('has no answer under an unknown id among many, and finds the last of them', async () => {
    const topic = await kafka.client.topic('answers-many', 2)
    const begin = Date.now() - 2 * HOUR
    // half of them within the minute that is read first, half of them in the hour after it
    const answers = Array.from({ length: 6000 }, (_, i) => at(begin + i))
    const written = (i: number) => String(begin + (i < 3000 ? i * 10 : 100_000 + i * 500))
    for (let i = 0; i < answers.length; i += 1000) {
      const records = answers.slice(i, i + 1000).map((answer, k) => ({
        ...{ key: answer.id, value: encodeCompletion(answer, 'bcod-gateway'), timestamp: written(i + k) },
      }))
      await kafka.client.send(topic, records)
    }
    const { log } = replica(topic)
    expect(await log.find(newCompletionId(new Date(begin)))).toBeNull()
    expect(await log.find(answers.at(-1)!.id)).toEqual(answers.at(-1))
  })

  it('says so if it no longer reaches back', async () => {
    const topic = await kafka.client.topic('answers-expired')
    const { log, told } = replica(topic)
    const answers = [at(Date.now() - 2 * HOUR), at(Date.now())] as const
    record(log, [answers[0]])
    await until(() => told.logged === 1)
    const whole = [{ partition: 0, offset: '1' }]
    await kafka.client.admin.deleteTopicRecords({ topic, partitions: whole })
    record(log, [answers[1]])
    await until(() => told.logged === 2)

    const other = replica(topic).log
    expect(await codeOf(other.find(answers[0].id))).toBe('COMPLETION_EXPIRED')
    expect(await other.find(answers[1].id)).toEqual(answers[1])
  })

  it('is looked into again if a vote has overtaken the record of its answer', async () => {
    const topic = await kafka.client.topic('answers-overtaken')
    const { log } = replica(topic)
    const answer = at(Date.now())
    const found = replica(topic).log.find(answer.id)
    await sleep(1000)
    record(log, [answer])
    expect(await found).toEqual(answer)
  })

  it('does not stop at a record that it does not take', async () => {
    const topic = await kafka.client.topic('answers-large', 1, { 'max.message.bytes': '20000' })
    const { log, told } = replica(topic)
    const answers = [at(Date.now()), { ...at(Date.now()), completion: 'x'.repeat(40_000) }, at(Date.now())]
    record(log, answers)
    await until(() => told.logged === 2 && told.lost.length === 1)
    expect(told.lost).toEqual(['KAFKA_FAILED'])
    expect(await replica(topic).log.find(answers[2]!.id)).toEqual(answers[2])
  })
})

describe('while Kafka is away', () => {
  it('answers are kept, none is promised to be found, and all are found later', async () => {
    const topic = await own.client.topic('answers')
    const { log, told } = replica(topic, own.broker.bootstrap)
    await until(() => log.available)
    const first = at(Date.now())
    record(log, [first])
    await until(() => told.logged === 1)

    await own.broker.kill()
    const meanwhile = Array.from({ length: 50 }, () => at(Date.now()))
    const begun = performance.now()
    record(log, meanwhile)
    expect(performance.now() - begun).toBeLessThan(100)
    await until(() => !log.available)
    // as soon as answers get no token: the metric and its alert follow from it
    expect(told.changes).toEqual([null, expect.any(String)])
    expect(await codeOf(replica(topic, own.broker.bootstrap).log.find(first.id))).toBe('LOG_UNAVAILABLE')

    const { dir, port } = own.broker
    const again = await startBroker({ dir, port })
    onTestFinished(() => again.stop())
    await until(() => log.available && told.logged >= 51)
    expect(told.changes.at(-1)).toBe(null)
    const other = replica(topic, again.bootstrap).log
    for (const answer of [first, ...meanwhile]) expect(await other.find(answer.id)).toEqual(answer)
    expect(told.lost).toEqual([])
  })

  it('a gateway starts without it', async () => {
    const { log, told } = replica('nowhere', '127.0.0.1:9')
    expect(log.available).toBe(false)
    log.record(at(Date.now()))
    expect(await codeOf(log.find(newCompletionId(new Date(Date.now() - 2 * HOUR))))).toBe('LOG_UNAVAILABLE')
    await log.close()
    expect(told).toEqual({ logged: 0, lost: [null], changes: ['KAFKA_UNREACHABLE'] })
  }, 60_000)
})
