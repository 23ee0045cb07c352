// How many votes a second a gateway joins with their answers, on a real broker of its own: it looks each answer up in the
// completions topic, publishes the event, and waits for the acknowledgement. docs/performance.md explains the figures.
//
//   node bench/votes.mjs [--minutes 10] [--votes 300]
//
// The topic holds that many minutes of 1, 10 and 100 answers a second, which took 1 to 20 s each. Votes are on any of them
// at random, through a replica that has just started; `again` is the same votes once more, when it knows their answers.
// `unknown`: how long it takes to say that nobody has given an answer with an id: all records are read that could be it, and
// for an id whose answer might just have ended, the next five seconds are awaited.
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import kafkajs from 'kafkajs'
import { startBroker } from '../dist/demo/kafka/broker.js'
import { STRUCTURED_HEADERS } from '../dist/events/encode.js'
import { newCompletionId } from '../dist/gateway/completion.js'
import { KafkaCompletionLog } from '../dist/gateway/log/kafka-completion-log.js'
import { encodeCompletion } from '../dist/gateway/log/record.js'
import { ApiKeys } from '../dist/gateway/votes/api-keys.js'
import { BallotBox } from '../dist/gateway/votes/ballot-box.js'
import { RecordProducer } from '../dist/streams/kafka/record-producer.js'
import { median, quantile } from './statistics.mjs'

const { values: flags } = parseArgs({
  options: { minutes: { type: 'string', default: '10' }, votes: { type: 'string', default: '300' } },
})
const SECONDS = Number(flags.minutes) * 60
const VOTES = Number(flags.votes)
const AT_ONCE = 16
const PARTITIONS = 3
const TEXT = 'It leaves the warehouse today and is with you on Thursday. '.repeat(12)

/** Answers of one second, and when their records are written. A record takes about 1.4 KB. */
function answersOf(begin, rate) {
  return Array.from({ length: rate }, (_, i) => {
    const time = new Date(begin + (1000 * i) / rate)
    const answer = {
      ...{ id: newCompletionId(time), time, model: 'shop', adapter: 'v00000012', arm: 'live', user: `u${i}` },
      ...{ prompt: [{ role: 'user', content: 'Where is my order?' }], completion: TEXT },
      ...{ tools: null, templateArguments: null, promptTokens: null, completionTokens: null },
      ...{ finishReason: 'stop', usage: null, votable: true, reason: null },
    }
    return { answer, written: time.getTime() + 1000 + Math.random() * 19_000 }
  })
}

/** Fills a topic; the ids of its answers. */
async function fill(kafka, topic, rate) {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: PARTITIONS }] })
  await admin.disconnect()
  const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
  await producer.connect()
  const end = Date.now() - 30_000
  const all = Array.from({ length: SECONDS }, (_, s) => answersOf(end - (SECONDS - s) * 1000, rate)).flat()
  all.sort((a, b) => a.written - b.written)
  for (let i = 0; i < all.length; i += 1000) {
    const messages = all.slice(i, i + 1000).map(({ answer, written }) => ({
      ...{ key: answer.id, value: encodeCompletion(answer, 'bcod-gateway'), timestamp: String(Math.floor(written)) },
    }))
    await producer.send({ topic, messages, acks: -1 })
  }
  await producer.disconnect()
  return all.map(({ answer }) => answer.id)
}

/** Casts the votes, some at a time. */
async function cast(ballots, ids) {
  const times = []
  const left = [...ids]
  const begun = performance.now()
  const voter = async () => {
    for (let id = left.pop(); id !== undefined; id = left.pop()) {
      const since = performance.now()
      const vote = { completion: id, label: true, token: null, user: null, weight: 1, reason: null, sequence: null }
      await ballots.cast(vote, ballots.voterNamed(null, 'bench'), new Date())
      times.push(performance.now() - since)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, voter))
  const seconds = (performance.now() - begun) / 1000
  const [middle, p99] = [median(times), quantile(times, 0.99)].map((time) => time.toFixed(0))
  return `${(ids.length / seconds).toFixed(0)} votes/s, median ${middle} ms, p99 ${p99} ms`
}

const broker = await startBroker()
const connection = { brokers: [broker.bootstrap] }
const kafka = new kafkajs.Kafka({ ...connection, logLevel: kafkajs.logLevel.NOTHING })
const nothing = () => {}
for (const rate of [1, 10, 100]) {
  const topic = `answers-${rate}`
  const ids = await fill(kafka, topic, rate)
  await fill(kafka, `feedback-${rate}`, 0)
  const log = new KafkaCompletionLog({
    ...{ connection, topic, source: 'bcod-gateway', maxAnswer: 3_600_000 },
    told: { logged: nothing, lost: nothing, changed: nothing },
  })
  const producer = new RecordProducer(connection, `feedback-${rate}`)
  const ballots = new BallotBox({
    ...{ log, apiKeys: new ApiKeys([]), voteKeys: [], voteTtl: 86_400_000, userSalt: 'salt', source: 'bcod-gateway' },
    publish: (events) =>
      producer.send(events.map(({ subject, value }) => ({ key: subject, value, headers: STRUCTURED_HEADERS }))),
    patience: 60_000,
  })
  while (!log.available) await sleep(50)
  const chosen = Array.from({ length: VOTES }, () => ids[Math.floor(Math.random() * ids.length)])
  console.log(`${rate} answers/s, ${ids.length} in the topic: ${await cast(ballots, chosen)}`)
  console.log(`  again: ${await cast(ballots, chosen)}`)
  const unknown = []
  for (const ago of [SECONDS * 900, SECONDS * 900, SECONDS * 900]) {
    const since = performance.now()
    if ((await log.find(newCompletionId(new Date(Date.now() - ago)))) !== null) throw new Error('found')
    unknown.push(Math.round(performance.now() - since))
  }
  console.log(`  unknown: ${unknown.join(', ')} ms`)
  await Promise.all([log.close(), producer.close()])
}
await broker.stop()
