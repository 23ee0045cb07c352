import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { STRUCTURED_HEADERS } from '../../../src/events/encode.js'
import { decodeEnvelope } from '../../../src/events/envelope.js'
import { toFeedback } from '../../../src/events/feedback.js'
import { type Completion, newCompletionId } from '../../../src/gateway/completion.js'
import { KafkaCompletionLog } from '../../../src/gateway/log/kafka-completion-log.js'
import { ApiKeys } from '../../../src/gateway/votes/api-keys.js'
import { BallotBox } from '../../../src/gateway/votes/ballot-box.js'
import { VotesTopic } from '../../../src/gateway/votes/votes-topic.js'
import { DedupWindow } from '../../../src/streams/dedup.js'
import { HoldBack } from '../../../src/streams/hold-back.js'
import { KafkaFeedbackLog } from '../../../src/streams/kafka/log.js'
import { RecordProducer } from '../../../src/streams/kafka/record-producer.js'
import { VoteLedger } from '../../../src/streams/vote-ledger.js'
import { completion } from '../../support/completions.js'
import { startBroker } from '../../support/kafka-broker.js'
import { Reading, until } from '../../support/kafka-reading.js'
import { OwnBroker, TestBroker } from '../../support/test-broker.js'

const kafka = new TestBroker('votes-topic')
const own = new OwnBroker('votes-topic-away')
const HOUR = 3_600_000

/** Three topics of one gateway, with answers in the log. */
async function gateway(name: string, { broker, client }: Pick<TestBroker | OwnBroker, 'broker' | 'client'>) {
  const topics = { votes: `${name}-votes`, answers: `${name}-answers`, feedback: name }
  await client.topic(topics.votes, 3)
  await client.topic(topics.answers, 2)
  await client.topic(topics.feedback, 2)
  const connection = { brokers: [broker.bootstrap], connectTimeout: 5000 }

  /** One replica. @param slow  what happens after its events are acknowledged and before it knows */
  const replica = (slow: () => Promise<unknown> = async () => null) => {
    const told = { outcomes: new Map<string, number>(), failures: [] as string[], logged: 0 }
    const answers = new KafkaCompletionLog({
      ...{ connection, topic: topics.answers, source: 'bcod-gateway', maxAnswer: HOUR },
      told: { logged: (count) => (told.logged += count), lost: () => undefined, changed: () => undefined },
    })
    const producer = new RecordProducer(connection, topics.feedback)
    const ballots = new BallotBox({
      ...{ log: answers, apiKeys: new ApiKeys([]), voteKeys: [], voteTtl: 24 * HOUR },
      ...{ userSalt: 'salt', source: 'bcod-gateway', patience: 3_000 },
      publish: async (events) => {
        await producer.send(events.map(({ subject, value }) => ({ key: subject, value, headers: STRUCTURED_HEADERS })))
        await slow()
      },
    })
    const log = new KafkaFeedbackLog({
      ...{ ...connection, topic: topics.votes, groupId: name, sessionTimeout: 6_000, isShared: true },
    })
    const votes = new VotesTopic({
      ...{ log, pause: 100 },
      join: (vote) => ballots.join(vote, ballots.voterNamed(vote.user, 'topic'), new Date()),
      publish: (events) => ballots.publish(events),
      decided: (outcome, count) => told.outcomes.set(outcome, (told.outcomes.get(outcome) ?? 0) + count),
      failed: ({ code }) => told.failures.push(code),
    })
    const close = async () => {
      await votes.close()
      await Promise.allSettled([answers.close(), producer.close()])
    }
    onTestFinished(close)
    votes.start()
    return { told, answers, close }
  }

  /** What the daemon makes of the topic: the last label of each vote that comes through dedup and hold-back. */
  const counted = async (expected: number) => {
    const log = new KafkaFeedbackLog({ ...connection, topic: topics.feedback, groupId: `${name}-daemon` })
    const reading = new Reading(log)
    onTestFinished(() => log.close())
    const window = new DedupWindow(100_000)
    const dropped = new Map<string, number>()
    const held = new HoldBack({
      ...{ window: HOUR, ledger: new VoteLedger(100_000) },
      drop: (_, reason) => void dropped.set(reason, (dropped.get(reason) ?? 0) + 1),
    })
    await until(() => reading.records.length >= expected)
    await sleep(1_000) // a vote too many would come now
    for (const record of reading.records) {
      const envelope = decodeEnvelope(record.value!, record.headers, 1e6)
      const vote = toFeedback(envelope, record, { vocabSize: null })
      if (window.admit(vote)) held.push(vote)
    }
    return { votes: held.snapshot().held, records: reading.records.length, dropped: Object.fromEntries(dropped) }
  }

  const send = (votes: readonly object[]) =>
    client.send(
      topics.votes,
      // in no partition that follows from the answer
      votes.map((vote, i) => ({ value: JSON.stringify(vote), partition: i % 3 })),
    )
  return { topics, replica, counted, send }
}

async function answered({ answers, told }: { answers: KafkaCompletionLog; told: { logged: number } }, count: number) {
  await until(() => answers.available)
  const all = Array.from(
    { length: count },
    (_, i): Completion => completion({ id: newCompletionId(new Date()), user: `u${i}` }),
  )
  for (const each of all) answers.record(each)
  await until(() => told.logged === count)
  return all
}

describe('votes of a topic', () => {
  it('are joined by the replicas together, and count once although one of them is cut off before it can commit', async () => {
    const { replica, counted, send } = await gateway('votes-shared', kafka)
    let release: (value?: unknown) => void = () => undefined
    const first = replica(
      () =>
        new Promise((resolve) => {
          release = resolve
        }),
    )
    const answers = await answered(first, 300)
    await send(answers.map(({ id }, i) => ({ completion: id, label: i % 3 !== 0 })))
    await sleep(3_000) // its events are in the topic, none of its positions is committed
    const second = replica()
    await first.close()
    release()
    await until(() => (second.told.outcomes.get('accepted') ?? 0) === 300)

    const { votes, records } = await counted(301)
    expect(records).toBeGreaterThan(300)
    const labels = new Map(votes.map(({ subject, label, user }) => [subject, { label, user }]))
    expect(votes.length).toBe(300)
    expect(labels).toEqual(new Map(answers.map(({ id }, i) => [id, { label: i % 3 !== 0, user: `u${i}` }])))
  })

  it('wait while Kafka is away, and none is lost', async () => {
    const { replica, counted, send } = await gateway('votes-away', own)
    const one = replica()
    const answers = await answered(one, 40)
    await send(answers.slice(0, 20).map(({ id }) => ({ completion: id, label: true })))
    await until(() => (one.told.outcomes.get('accepted') ?? 0) > 0)
    await own.broker.kill()
    const again = await startBroker({ dir: own.broker.dir, port: own.broker.port })
    onTestFinished(() => again.stop())
    await send(answers.slice(20).map(({ id }) => ({ completion: id, label: true })))
    await until(() => (one.told.outcomes.get('accepted') ?? 0) >= 40)
    const { votes } = await counted(40)
    expect(new Set(votes.map(({ subject }) => subject))).toEqual(new Set(answers.map(({ id }) => id)))
  })

  it('change as their users do, within one partition', async () => {
    const { replica, counted, topics } = await gateway('votes-changed', kafka)
    const one = replica()
    const [answer] = await answered(one, 1)
    const vote = (label: boolean | null) => ({ value: JSON.stringify({ completion: answer!.id, label }), partition: 1 })
    await kafka.client.send(topics.votes, [vote(true), vote(false), vote(true)])
    const { votes, dropped } = await counted(3)
    expect(votes.map(({ label }) => label)).toEqual([true])
    expect(dropped).toEqual({ superseded: 2 })
  })

  it('that cannot be joined are dead letters with the reason, and hold up nothing', async () => {
    const { replica, counted, topics } = await gateway('votes-wrong', kafka)
    const one = replica()
    const [good, cut] = [completion(), completion({ votable: false, reason: 'cut' })]
    await until(() => one.answers.available)
    for (const each of [good, cut]) one.answers.record(each)
    const unknown = newCompletionId(new Date(Date.now() - 2 * HOUR))
    const old = newCompletionId(new Date(Date.now() - 48 * HOUR))
    const values = [
      '{"completion":',
      JSON.stringify({ completion: good.id, label: 'yes' }),
      JSON.stringify({ completion: unknown, label: true }),
      JSON.stringify({ completion: old, label: true }),
      JSON.stringify({ completion: cut.id, label: true }),
      JSON.stringify({ completion: good.id, label: true, user: 'ann' }),
    ]
    await kafka.client.send(
      topics.votes,
      values.map((value) => ({ value, partition: 0 })),
    )
    const { votes } = await counted(1)
    expect(votes.map(({ subject }) => subject)).toEqual([good.id])
    // HMAC-SHA-256 of "ann" under "salt", by openssl
    expect(votes[0]?.user).toBe('5c72f4886bc4408f8687cb4ebdda13dc')

    const letters = new Reading(
      new KafkaFeedbackLog({ brokers: [kafka.broker.bootstrap], topic: `${topics.votes}.dlq`, groupId: 'x' }),
    )
    await until(() => letters.records.length === 5)
    const codes = letters.records.map(({ headers }) => Buffer.from(headers['bcod.error.code']!).toString())
    expect(codes).toEqual([
      ...['FEEDBACK_NOT_JSON', 'VOTE_INVALID', 'COMPLETION_UNKNOWN', 'COMPLETION_EXPIRED', 'COMPLETION_NOT_VOTABLE'],
    ])
    expect(letters.values).toEqual(values.slice(0, 5))
    letters.leave()
  })
})
