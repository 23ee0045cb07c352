import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import OpenAI from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { hashedUser } from '../../src/events/hashed-user.js'
import type { Feedback } from '../../src/events/types.js'
import { newCompletionId } from '../../src/gateway/completion.js'
import { Gateway } from '../../src/gateway/gateway.js'
import { KafkaFeedbackLog } from '../../src/streams/kafka/log.js'
import { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { Reading, until } from '../support/kafka-reading.js'
import { TestBroker } from '../support/test-broker.js'
import { answerChat, CHAT, json, StandInUpstream } from '../support/upstream.js'

const kafka = new TestBroker('gateway')
const TOPIC = 'gateway-votes'
const SALT = 'a salt that is long enough'
const API_KEY = 'an-application-with-a-key'

let upstream: StandInUpstream
/** Two replicas. */
let replicas: Gateway[]
let bases: string[]
let client: OpenAI
let reading: Reading
let log: KafkaFeedbackLog

function configOf(upstreamUrl: string) {
  const file = join(kafka.directory, 'keys')
  writeFileSync(file, `# the shop\n${API_KEY}\n`)
  const set = {
    'stream.topic': TOPIC,
    'stream.brokers': kafka.broker.bootstrap,
    'gateway.upstreams': upstreamUrl,
    'gateway.port': '0',
    'gateway.model': 'shop',
    'gateway.userSalt': SALT,
    'gateway.voteKey': '0123456789abcdef0123456789abcdef',
    'gateway.apiKeysFile': file,
    'gateway.votesPerMinute': '20',
    'gateway.votesTopic': `${TOPIC}.by-id`,
    'server.port': '0',
  }
  return requireFor(
    loadConfig({ set: Object.entries(set).map(([key, value]) => `${key}=${value}`), env: {} }),
    'gateway',
  )
}

beforeAll(async () => {
  upstream = await StandInUpstream.start()
  for (const topic of [TOPIC, `${TOPIC}.completions`, `${TOPIC}.by-id`]) await kafka.client.topic(topic, 2)
  replicas = [0, 1].map(() => new Gateway(configOf(upstream.url), new GatewayMetrics(), createLogger('silent')))
  bases = (await Promise.all(replicas.map((each) => each.listen()))).map(({ port }) => `http://127.0.0.1:${port}`)
  client = new OpenAI({ baseURL: `${bases[0]}/v1`, apiKey: 'client', maxRetries: 0 })
  log = new KafkaFeedbackLog({ brokers: [kafka.broker.bootstrap], topic: TOPIC, groupId: TOPIC, sessionTimeout: 6000 })
  reading = new Reading(log)
  // a token is given once the log has answered
  while ((await ask()).token === null) await sleep(100)
})
afterAll(async () => {
  await log.close()
  await Promise.all(replicas.map((each) => each.close()))
  await upstream.close()
})
beforeEach(() => {
  upstream.handle = answerChat
})

const MESSAGES = [{ role: 'user' as const, content: 'Where are you?' }]

async function ask(user = 'ann', more: object = {}) {
  const asked = client.chat.completions.create({ model: 'shop', messages: MESSAGES, user, ...more })
  const { data, response } = await asked.withResponse()
  return { id: data.id, token: response.headers.get('x-bcod-vote'), data }
}

async function send(path: string, body: unknown, { base = bases[0], type = 'application/json', key = '' } = {}) {
  const headers = { 'content-type': type, ...(key !== '' && { authorization: `Bearer ${key}` }) }
  const answer = await fetch(base + path, { method: 'POST', headers, body: JSON.stringify(body) })
  return { status: answer.status, body: (await answer.json()) as { event?: string; error?: { code: string } }, answer }
}
const vote = (body: unknown, options = {}) => send('/v1/feedback', body, options)
const refusal = async (sent: ReturnType<typeof send>) => {
  const { status, body } = await sent
  return [status, body.error?.code]
}

/** The votes in the topic on an answer, once there are so many. */
async function votesOn(subject: string, count = 1): Promise<Feedback[]> {
  const found = () =>
    reading.records
      .map((record) => toFeedback(decodeEnvelope(record.value!, record.headers, 2 ** 20), record, { vocabSize: null }))
      .filter((each) => each.subject === subject)
  await until(() => found().length >= count)
  return found()
}

describe('with the client of OpenAI', () => {
  it('an answer is asked for, voted on at another replica, and the vote has all that trains', async () => {
    const { id, token, data } = await ask()
    expect(data.choices[0]!.message.content).toBe(CHAT.choices[0]!.message.content)
    const { status, body } = await vote({ completion: id, label: true, token }, { base: bases[1] })
    expect(status).toBe(202)
    const [event] = await votesOn(id)
    expect(event).toMatchObject({
      ...{ id: body.event, subject: id, source: 'bcod-gateway', label: true, user: hashedUser('ann', SALT) },
      ...{ weight: 1, finishReason: 'stop', prompt: { kind: 'messages', messages: [MESSAGES[0]] } },
      completion: { kind: 'text', text: CHAT.choices[0]!.message.content },
    })
  })

  it('a stream is read as from the server alone, and can be voted on', async () => {
    const answer = await client.chat.completions
      .create({ model: 'shop', messages: MESSAGES, user: 'ben', stream: true })
      .withResponse()
    let text = ''
    let id = ''
    for await (const chunk of answer.data) {
      text += chunk.choices[0]?.delta.content ?? ''
      id = chunk.id
    }
    expect(text).toBe(CHAT.choices[0]!.message.content)
    const token = answer.response.headers.get('x-bcod-vote')
    expect((await vote({ completion: id, label: false, token, weight: 0.5, reason: 'rude' })).status).toBe(202)
    expect(await votesOn(id)).toMatchObject([{ label: false, weight: 0.5, completion: { kind: 'text', text } }])
  })

  it('tools are called, and the vote has the call', async () => {
    const call = { id: 'c1', type: 'function', function: { name: 'order', arguments: '{"n":7}' } }
    const message = { role: 'assistant', content: null, tool_calls: [call] }
    upstream.handle = (_, response) =>
      json(response, { ...CHAT, choices: [{ index: 0, finish_reason: 'tool_calls', message }] })
    const tools = [{ type: 'function' as const, function: { name: 'order', parameters: { type: 'object' } } }]
    const { id, token, data } = await ask('ann', { tools })
    expect(data.choices[0]!.message.tool_calls).toEqual([call])
    await vote({ completion: id, label: true, token })
    const [event] = await votesOn(id)
    expect(JSON.stringify(event)).toContain('order')
    expect(event!.prompt).toMatchObject({ kind: 'messages', extra: JSON.stringify({ tools }) })
  })

  it('an error of the server is the error that the client knows', async () => {
    upstream.handle = (_, response) => json(response, { error: { message: 'slow down', type: 'rate' } }, 429)
    await expect(ask()).rejects.toBeInstanceOf(OpenAI.RateLimitError)
  })
})

describe('a vote', () => {
  it('sent twice at once, or again, is one event; changed, it is another', async () => {
    const { id, token } = await ask('cleo')
    const sequence = '1'
    const twice = await Promise.all(
      [0, 1].map((i) => vote({ completion: id, label: true, token, sequence }, { base: bases[i] })),
    )
    expect(new Set(twice.map(({ body }) => body.event)).size).toBe(1)
    const changed = await vote({ completion: id, label: false, token, sequence: '2' })
    const back = await vote({ completion: id, label: true, token, sequence: '3' })
    expect(new Set([...twice, changed, back].map(({ body }) => body.event)).size).toBe(3)
    const votes = await votesOn(id, 4)
    expect(votes.at(-1)!.label).toBe(true)
  })

  it('of an application names its user; without one it is that of whoever asked', async () => {
    const { id } = await ask('dora')
    await vote({ completion: id, label: true, user: 'eve' }, { key: API_KEY })
    await vote({ completion: id, label: true }, { key: API_KEY })
    const users = (await votesOn(id, 2)).map(({ user }) => user)
    expect(users).toEqual([hashedUser('eve', SALT), hashedUser('dora', SALT)])
    expect(JSON.stringify(reading.records.map(({ value }) => Buffer.from(value!).toString()))).not.toMatch(/eve|dora/)
  })

  it('is refused with a reason', async () => {
    const [first, second] = [await ask('fay'), await ask('fay')]
    const { id, token } = first
    expect(await refusal(vote({ completion: id, label: 'up', token }))).toEqual([400, 'VOTE_INVALID'])
    expect(await refusal(vote({ completion: 'chatcmpl-1', label: true, token }))).toEqual([400, 'VOTE_INVALID'])
    expect(await refusal(vote('text'))).toEqual([400, 'VOTE_INVALID'])
    expect(await refusal(vote({ completion: id, label: true }))).toEqual([401, 'VOTE_UNAUTHORISED'])
    expect(await refusal(vote({ completion: id, label: true }, { key: 'wrong' }))).toEqual([401, 'VOTE_UNAUTHORISED'])
    expect(await refusal(vote({ completion: id, label: true, token: `${token}x` }))).toEqual([
      403,
      'VOTE_TOKEN_INVALID',
    ])
    expect(await refusal(vote({ completion: id, label: true, token: second.token }))).toEqual([
      403,
      'VOTE_TOKEN_INVALID',
    ])
    const unknown = newCompletionId(new Date(Date.now() - 5 * 3_600_000))
    expect(await refusal(vote({ completion: unknown, label: true }, { key: API_KEY }))).toEqual([
      404,
      'COMPLETION_UNKNOWN',
    ])
    const old = newCompletionId(new Date(Date.now() - 8 * 86_400_000))
    expect(await refusal(vote({ completion: old, label: true }, { key: API_KEY }))).toEqual([410, 'COMPLETION_EXPIRED'])
  })

  it('on an answer to an image is refused', async () => {
    const content = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }]
    const { id, token } = await ask('gus', { messages: [{ role: 'user', content }] })
    expect(await refusal(vote({ completion: id, label: true, token }))).toEqual([422, 'COMPLETION_NOT_VOTABLE'])
  })

  it('beyond the rate of a user waits', async () => {
    const { id, token } = await ask('hal')
    const sent = []
    for (let i = 0; i < 21; i++) sent.push(await vote({ completion: id, label: true, token, sequence: String(i) }))
    expect(sent.slice(0, 20).every(({ status }) => status === 202)).toBe(true)
    expect([sent[20]!.status, sent[20]!.body.error?.code]).toEqual([429, 'VOTE_RATE'])
    expect(Number(sent[20]!.answer.headers.get('retry-after'))).toBeGreaterThan(0)
  })

  it('that flows through Kafka is joined by one of the replicas', async () => {
    const { id } = await ask('ida')
    await kafka.client.send(`${TOPIC}.by-id`, [{ key: id, value: JSON.stringify({ completion: id, label: false }) }])
    expect(await votesOn(id)).toMatchObject([{ label: false, user: hashedUser('ida', SALT) }])
  })
})

it('events of applications that are not behind the gateway are taken with a key, users hashed', async () => {
  const data = { prompt: 'Hi', completion: ' there', label: true, user: 'joe' }
  const event = (id: string) => ({
    specversion: '1.0',
    type: 'bcod.feedback.v1',
    source: 'shop',
    id,
    subject: id,
    data,
  })
  const batch = 'application/cloudevents-batch+json'
  expect(await refusal(send('/v1/events', [event('b1')], { type: batch }))).toEqual([401, 'VOTE_UNAUTHORISED'])
  const bad = { ...event('b2'), data: { ...data, label: 7 } }
  expect(await refusal(send('/v1/events', [event('b1'), bad], { type: batch, key: API_KEY }))).toEqual([
    400,
    'VOTE_INVALID',
  ])
  const { status, body } = await send('/v1/events', [event('b1'), event('b3')], { type: batch, key: API_KEY })
  expect([status, body]).toEqual([202, { events: ['b1', 'b3'] }])
  const one = await send('/v1/events', event('b4'), { type: 'application/cloudevents+json', key: API_KEY })
  expect([one.status, one.body]).toEqual([202, { event: 'b4' }])
  for (const id of ['b1', 'b3', 'b4'])
    expect(await votesOn(id)).toMatchObject([{ source: 'shop', user: hashedUser('joe', SALT) }])
})
