import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import { describe, expect, it, onTestFinished } from 'vitest'
import { BcodError } from '../../../src/errors.js'
import { decodeEnvelope } from '../../../src/events/envelope.js'
import { toFeedback } from '../../../src/events/feedback.js'
import type { Feedback } from '../../../src/events/types.js'
import { type Completion, choiceId, newCompletionId } from '../../../src/gateway/completion.js'
import { signVoteToken } from '../../../src/gateway/vote-token.js'
import { ApiKeys } from '../../../src/gateway/votes/api-keys.js'
import { BallotBox } from '../../../src/gateway/votes/ballot-box.js'
import { votesPlugin } from '../../../src/gateway/votes/plugin.js'
import type { VoteEvent } from '../../../src/gateway/votes/vote-event.js'
import { DedupWindow } from '../../../src/streams/dedup.js'
import { HoldBack } from '../../../src/streams/hold-back.js'
import { VoteLedger } from '../../../src/streams/vote-ledger.js'
import { completion } from '../../support/completions.js'

const KEY = Buffer.from('0123456789abcdef0123456789abcdef')
const API_KEY = 'an-api-key-of-the-shop'
const HOUR = 3_600_000

/** The routes over a log in memory; Kafka takes what it is given unless `kafka` fails. */
async function gateway({ votesPerMinute = 1000, keyVotesPerMinute = 6000, answers = [] as Completion[] } = {}) {
  const log = new Map(answers.map((each) => [each.id, each]))
  const published: VoteEvent[] = []
  const outcomes: string[] = []
  const limited: [string, number][] = []
  const kafka = { send: async (): Promise<unknown> => null }
  const find = async (id: string) => log.get(id) ?? null
  const ballots = new BallotBox({
    log: { available: true, record: () => undefined, find, close: async () => undefined },
    publish: async (events) => {
      await kafka.send()
      published.push(...events)
    },
    ...{ apiKeys: new ApiKeys(['another-key-of-nobody', API_KEY]), voteKeys: [KEY], voteTtl: 24 * HOUR },
    ...{ userSalt: 'salt', source: 'bcod-gateway', patience: 200 },
  })
  const fastify = Fastify({ bodyLimit: 10_000 })
  onTestFinished(() => fastify.close())
  await fastify.register(votesPlugin, {
    ...{ ballots, userSalt: 'salt', ownSource: 'bcod-gateway', votesPerMinute, keyVotesPerMinute },
    ...{ joined: () => undefined, failed: () => undefined },
    ignored: (count) => outcomes.push(...Array<string>(count).fill('ignored')),
    limited: (limit, count) => limited.push([limit, count]),
    decided: (outcome, count) => outcomes.push(...Array<string>(count).fill(outcome)),
  })
  const post = async (url: string, payload: object | string, headers: Record<string, string> = {}) => {
    const answer = await fastify.inject({
      ...{ method: 'POST', url, headers: { 'content-type': 'application/json', ...headers } },
      payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
    })
    return { status: answer.statusCode, body: answer.json(), headers: answer.headers }
  }
  const vote = (body: object) => post('/v1/feedback', body, { authorization: `Bearer ${API_KEY}` })
  return { post, vote, published, outcomes, limited, kafka }
}

/** What the daemon makes of the events, in their order. */
function counted(events: readonly VoteEvent[]) {
  const dropped: string[] = []
  const drop = (_: unknown, reason: string) => void dropped.push(reason)
  const held = new HoldBack({ window: HOUR, ledger: new VoteLedger(100), drop })
  const window = new DedupWindow(100)
  for (const [offset, { value }] of events.entries()) {
    const vote = read(value, offset)
    if (window.admit(vote)) held.push(vote)
    else dropped.push('duplicate')
  }
  return { labels: held.snapshot().held.map(({ label }) => label), dropped }
}

const read = (value: Buffer, offset = 0): Feedback =>
  toFeedback(decodeEnvelope(value, {}, 1e6), { topic: 't', partition: 0, offset, timestamp: 0 }, { vocabSize: null })
const token = (id: string, over: { user?: string | null; expires?: Date; key?: Buffer } = {}) => {
  const { user = 'a1b2', expires = new Date(Date.now() + HOUR), key = KEY } = over
  return signVoteToken({ completion: id, user, expires }, key)
}

describe('a vote by id', () => {
  it('becomes the whole event, once Kafka has it', async () => {
    const answer = completion({ promptTokens: [1, 2], completionTokens: [3], tools: [{ type: 'function' }] })
    const { post, published } = await gateway({ answers: [answer] })
    const body = { completion: answer.id, label: false, token: await token(answer.id), reason: 'too short' }
    const { status, body: said } = await post('/v1/feedback', body)
    expect(status).toBe(202)
    expect(published.map(({ id, subject }) => ({ id, subject }))).toEqual([{ id: said.event, subject: answer.id }])
    const event = JSON.parse(String(published[0]?.value))
    expect(event).toMatchObject({
      type: 'bcod.feedback.v1',
      source: 'bcod-gateway',
      subject: answer.id,
      id: said.event,
    })
    expect(event.data).toEqual({
      ...{ prompt: answer.prompt, completion: answer.completion, tools: [{ type: 'function' }] },
      ...{ prompt_tokens: [1, 2], completion_tokens: [3], label: false, user: 'a1b2' },
      ...{ adapter: 'v00000012', arm: 'live', finish_reason: 'stop', tags: { reason: 'too short' } },
    })
  })

  it('counts once however often it is sent, and as its user changes it', async () => {
    const answer = completion()
    const { vote, published } = await gateway({ answers: [answer] })
    const labels = [true, true, false, false, true, true]
    const ids: string[] = []
    for (const label of labels) ids.push((await vote({ completion: answer.id, label, user: 'ann' })).body.event)
    // nobody knows which of them another replica has seen
    expect(new Set(ids).size).toBe(6)
    expect(counted(published)).toEqual({
      labels: [true],
      dropped: ['repeat', 'superseded', 'repeat', 'superseded', 'repeat'],
    })
  })

  it('is of the user who asked, of the one that the application names, or of its token', async () => {
    const answer = completion({ user: 'a1b2' })
    const { vote, post, published } = await gateway({ answers: [answer] })
    await vote({ completion: answer.id, label: true })
    await vote({ completion: answer.id, label: true, user: 'ann' })
    const of = await token(answer.id, { user: 'c3d4' })
    await post('/v1/feedback', { completion: answer.id, label: true, token: of, user: 'ann' })
    // HMAC-SHA-256 of "ann" under "salt", by openssl
    expect(published.map(({ value }) => read(value).user)).toEqual(['a1b2', '5c72f4886bc4408f8687cb4ebdda13dc', 'c3d4'])
  })

  it('on another choice needs no other token', async () => {
    const first = completion()
    const second = { ...first, id: choiceId(first.id, 1), completion: 'Tomorrow.' }
    const { post, published } = await gateway({ answers: [first, second] })
    await post('/v1/feedback', { completion: second.id, label: true, token: await token(first.id) })
    expect(published.map(({ subject }) => subject)).toEqual([second.id])
  })
})

describe('a vote is refused', () => {
  const answer = completion()
  const cut = completion({ votable: false, reason: 'cut' })
  const old = completion({ time: new Date(Date.now() - 25 * HOUR) })
  const ahead = completion({ time: new Date(Date.now() + HOUR) })
  const unknown = newCompletionId(new Date())
  const up = (id: string, over: object = {}) => ({ completion: id, label: true, ...over })

  it.each([
    ['no JSON object', '[]', 400, 'VOTE_INVALID'],
    ['no JSON', '{', 400, 'VOTE_INVALID'],
    ['an id of another gateway', up('chatcmpl-1'), 400, 'VOTE_INVALID'],
    ['a label of another type', { completion: answer.id, label: 1 }, 400, 'VOTE_INVALID'],
    ['a weight above 1', up(answer.id, { weight: 2 }), 400, 'VOTE_INVALID'],
    ['an answer that nobody gave', up(unknown), 404, 'COMPLETION_UNKNOWN'],
    ['an answer of the future', up(ahead.id), 404, 'COMPLETION_UNKNOWN'],
    ['an answer older than gateway.voteTtl', up(old.id), 410, 'COMPLETION_EXPIRED'],
    ['an answer that cannot be trained on', up(cut.id), 422, 'COMPLETION_NOT_VOTABLE'],
    ['a body that is too long', up(answer.id, { reason: 'x'.repeat(20_000) }), 413, 'VOTE_INVALID'],
  ])('%s: %#', async (_, body, status, code) => {
    const { post, published, outcomes } = await gateway({ answers: [answer, cut, old, ahead] })
    const said = await post('/v1/feedback', body, { authorization: `Bearer ${API_KEY}` })
    expect([said.status, said.body.error.code]).toEqual([status, code])
    expect(said.body.error.message.length).toBeGreaterThan(20)
    expect([published, outcomes]).toEqual([[], [code]])
  })

  it('without a token and without a key, and with a key of nobody', async () => {
    const { post } = await gateway({ answers: [answer] })
    for (const headers of [{}, { authorization: 'Bearer guess' }, { authorization: `Basic ${API_KEY}` }] as object[]) {
      const { status, body } = await post('/v1/feedback', up(answer.id), headers as Record<string, string>)
      expect([status, body.error.code]).toEqual([401, 'VOTE_UNAUTHORISED'])
    }
  })

  it('with a token that is forged, of another key, of another answer, or has expired', async () => {
    const { post, published } = await gateway({ answers: [answer] })
    const good = await token(answer.id)
    const [head, , signature] = good.split('.')
    const claims = Buffer.from(JSON.stringify({ sub: answer.id, user: 'eve', aud: 'bcod-vote', exp: 4e9 }))
    const tokens = [
      `${head}.${claims.toString('base64url')}.${signature}`,
      await token(answer.id, { key: Buffer.from('fedcba9876543210fedcba9876543210') }),
      await token(completion().id),
      await token(answer.id, { expires: new Date(Date.now() - 1000) }),
    ]
    for (const each of tokens) {
      const { status, body } = await post('/v1/feedback', up(answer.id, { token: each }))
      expect([status, body.error.code]).toEqual([403, 'VOTE_TOKEN_INVALID'])
    }
    expect(published).toEqual([])
  })

  it('above the rate, which other users keep', async () => {
    const { vote, limited } = await gateway({ answers: [answer], votesPerMinute: 2 })
    for (const status of [202, 202, 429]) {
      const said = await vote(up(answer.id, { user: 'ann' }))
      expect(said.status).toBe(status)
      if (status === 429) expect(Number(said.headers['retry-after'])).toBeGreaterThan(0)
    }
    expect((await vote(up(answer.id, { user: 'bob' }))).status).toBe(202)
    expect(limited).toEqual([['user', 1]])
  })

  it('above the rate of an API key, which votes with a token keep', async () => {
    const { vote, post, limited } = await gateway({ answers: [answer], keyVotesPerMinute: 2 })
    for (const [user, status] of [
      ['ann', 202],
      ['bob', 202],
      ['cid', 429],
    ] as const) {
      const said = await vote(up(answer.id, { user }))
      expect(said.status).toBe(status)
      // two a minute: one in half a minute
      if (status === 429) expect(Number(said.headers['retry-after'])).toBeGreaterThan(0)
      if (status === 429) expect(said.body.error.message).toContain('gateway.keyVotesPerMinute')
    }
    expect(limited).toEqual([['key', 1]])
    const { status } = await post('/v1/feedback', up(answer.id, { token: token(answer.id) }))
    expect(status).toBe(202)
  })

  it('while Kafka is away, and counts once if it is sent again', async () => {
    const { vote, kafka, published } = await gateway({ answers: [answer] })
    const hangs = () => new Promise(() => undefined)
    const fails = async () => {
      throw new BcodError('KAFKA_UNREACHABLE', 'no broker')
    }
    for (const send of [hangs, fails]) {
      kafka.send = send
      const { status, body } = await vote(up(answer.id))
      expect([status, body.error.code, body.error.type]).toEqual([503, 'LOG_UNAVAILABLE', 'server_error'])
    }
    kafka.send = async () => null
    expect((await vote(up(answer.id))).status).toBe(202)
    expect(counted(published).labels).toEqual([true])
  })
})

describe('CloudEvents', () => {
  const event = (id: string, user: string | null = 'ann') => ({
    ...{ specversion: '1.0', type: 'bcod.feedback.v1', source: 'shop', id, subject: `answer-${id}` },
    data: { prompt: 'a', completion: 'b', label: true, user },
  })
  const key = { authorization: `Bearer ${API_KEY}` }

  it('are taken one at a time, in both modes, with their users hashed', async () => {
    const { post, published } = await gateway()
    await post('/v1/events', event('1'), { ...key, 'content-type': 'application/cloudevents+json' })
    const { data, ...attributes } = event('2')
    const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]))
    const { status, body } = await post('/v1/events', data, { ...key, ...headers })
    expect([status, body]).toEqual([202, { event: '2' }])
    const votes = published.map(({ value }) => read(value))
    expect(votes.map(({ source, id, subject, user }) => [source, id, subject, user])).toEqual([
      ['shop', '1', 'answer-1', '5c72f4886bc4408f8687cb4ebdda13dc'],
      ['shop', '2', 'answer-2', '5c72f4886bc4408f8687cb4ebdda13dc'],
    ])
  })

  it('are taken as a batch, or none of it', async () => {
    const { post, published } = await gateway()
    const headers = { ...key, 'content-type': 'application/cloudevents-batch+json' }
    const wrong = await post('/v1/events', JSON.stringify([event('1'), { ...event('2'), type: 'other' }]), headers)
    expect([wrong.status, wrong.body.error.code, published]).toEqual([400, 'VOTE_INVALID', []])
    expect(wrong.body.error.message).toContain('[1] type')
    const { status, body } = await post('/v1/events', JSON.stringify([event('1', null), event('2')]), headers)
    expect([status, body]).toEqual([202, { events: ['1', '2'] }])
    expect(published.map(({ subject }) => subject)).toEqual(['answer-1', 'answer-2'])
  })

  it('cannot pretend to be votes on answers that the gateway gave', async () => {
    const { post, published } = await gateway()
    const forged = { ...event('1'), source: 'bcod-gateway' }
    const headers = { ...key, 'content-type': 'application/cloudevents-batch+json' }
    const { status, body } = await post('/v1/events', JSON.stringify([event('2'), forged]), headers)
    expect([status, body.error.code, published]).toEqual([400, 'VOTE_INVALID', []])
    expect(body.error.message).toContain('[1] source')
  })

  it('above the rate of their API key are refused as a whole', async () => {
    const { post, published, limited } = await gateway({ keyVotesPerMinute: 3 })
    const headers = { ...key, 'content-type': 'application/cloudevents-batch+json' }
    const batch = (...ids: string[]) => JSON.stringify(ids.map((id) => event(id)))
    expect((await post('/v1/events', batch('1', '2'), headers)).status).toBe(202)
    const { status, body, headers: said } = await post('/v1/events', batch('3', '4'), headers)
    expect([status, body.error.code]).toEqual([429, 'VOTE_RATE'])
    expect(Number(said['retry-after'])).toBeGreaterThan(0)
    expect((await post('/v1/events', batch('5'), headers)).status).toBe(202)
    expect([published.map(({ id }) => id), limited]).toEqual([['1', '2', '5'], [['key', 2]]])
  })

  it('need an API key', async () => {
    const { post } = await gateway()
    const { status } = await post('/v1/events', event('1'), { 'content-type': 'application/cloudevents+json' })
    expect(status).toBe(401)
  })
})

describe('votes in the forms of other products', () => {
  const answer = completion({ user: null })

  it('are taken at their own addresses, with their own answers', async () => {
    const { post, published } = await gateway({ answers: [answer] })
    const bearer = { authorization: `Bearer ${API_KEY}` }
    const basic = { authorization: `Basic ${Buffer.from(`pk-lf-1:${API_KEY}`).toString('base64')}` }
    const dify = await post(`/v1/messages/${answer.id}/feedbacks`, { rating: 'like', user: 'ann' }, bearer)
    const score = { id: 's1', traceId: answer.id, name: 'thumb', value: 0, dataType: 'BOOLEAN' }
    const langfuse = await post('/api/public/scores', score, basic)
    expect([dify.body, langfuse.body]).toEqual([{ result: 'success' }, { id: 's1' }])
    expect(published.map(({ value }) => read(value)).map(({ label, user }) => [label, user])).toEqual([
      [true, '5c72f4886bc4408f8687cb4ebdda13dc'],
      [false, null],
    ])
    const stranger = await post('/api/public/scores', score)
    expect(stranger.status).toBe(401)
  })

  it('a batch of Langfuse hears what became of each event', async () => {
    const { post, published, outcomes, kafka } = await gateway({ answers: [answer] })
    const basic = { authorization: `Basic ${Buffer.from(`pk-lf-1:${API_KEY}`).toString('base64')}` }
    const score = (id: string, traceId: string, value: number) => ({
      ...{ id, type: 'score-create', timestamp: '2026-11-20T10:00:00.000Z' },
      body: { id: 'score-1', traceId, name: 'user-feedback', value, dataType: 'BOOLEAN' },
    })
    const batch = [
      score('up', answer.id, 1),
      { id: 'trace', type: 'trace-create', timestamp: '2026-11-20T10:00:00.000Z', body: { id: 'x' } },
      score('elsewhere', 'd41d8cd98f00b204e9800998ecf8427e', 1),
      score('unknown', newCompletionId(new Date()), 1),
      score('down', answer.id, 0),
    ]
    const { status, body } = await post('/api/public/ingestion', { batch, metadata: null }, basic)
    expect([status, body.successes]).toEqual([207, ['up', 'trace', 'down'].map((id) => ({ id, status: 201 }))])
    expect(body.errors).toMatchObject([
      { id: 'elsewhere', status: 400, error: 'VOTE_INVALID' },
      { id: 'unknown', status: 404, error: 'COMPLETION_UNKNOWN' },
    ])
    expect(outcomes).toEqual(['accepted', 'ignored', 'VOTE_INVALID', 'COMPLETION_UNKNOWN', 'accepted'])
    expect(counted(published).labels).toEqual([false])
    // a client that heard nothing sends it all again
    await post('/api/public/ingestion', { batch }, basic)
    expect(counted(published)).toEqual({ labels: [false], dropped: ['superseded', 'duplicate', 'duplicate'] })

    let asked = 0
    kafka.send = async () => {
      asked += 1
      throw new BcodError('KAFKA_UNREACHABLE', 'no broker')
    }
    const away = await post('/api/public/ingestion', { batch }, basic)
    expect([away.status, away.body.successes]).toEqual([207, [{ id: 'trace', status: 201 }]])
    expect(away.body.errors.map((error: { status: number }) => error.status)).toEqual([503, 503, 503, 503])
    expect(asked).toBe(1)
    expect((await post('/api/public/ingestion', { batch: [] })).status).toBe(401)
  })

  it('an exporter of OpenTelemetry hears which of its records were refused', async () => {
    const { post, published, outcomes, kafka } = await gateway({ answers: [answer] })
    const record = (id: string) => ({
      ...{ timeUnixNano: '1', eventName: 'gen_ai.evaluation.result' },
      attributes: [
        { key: 'gen_ai.response.id', value: { stringValue: id } },
        { key: 'gen_ai.evaluation.score.value', value: { doubleValue: 1 } },
      ],
    })
    const logs = (...logRecords: object[]) => ({ resourceLogs: [{ scopeLogs: [{ logRecords }] }] })
    const bearer = { authorization: `Bearer ${API_KEY}` }
    const unknown = newCompletionId(new Date())
    const { status, body } = await post('/v1/logs', logs(record(unknown), record(answer.id)), bearer)
    expect([status, body.partialSuccess.rejectedLogRecords]).toEqual([200, 1])
    expect(body.partialSuccess.errorMessage).toMatch(/^COMPLETION_UNKNOWN/)
    expect(outcomes).toEqual(['COMPLETION_UNKNOWN', 'accepted'])
    kafka.send = async () => {
      throw new BcodError('KAFKA_UNREACHABLE', 'no broker')
    }
    // it sends the request again, and the same vote has the same id
    expect((await post('/v1/logs', logs(record(answer.id)), bearer)).status).toBe(503)
    kafka.send = async () => null
    expect((await post('/v1/logs', logs(record(answer.id)), bearer)).body).toEqual({})
    expect(counted(published)).toEqual({ labels: [true], dropped: ['duplicate'] })
  })
})

describe('API keys', () => {
  const file = (text: string) => {
    const directory = mkdtempSync(join(tmpdir(), 'bcod-api-keys-'))
    onTestFinished(() => rmSync(directory, { recursive: true }))
    const path = join(directory, 'keys')
    writeFileSync(path, text)
    return path
  }

  it('come from a file, one a line', () => {
    const keys = ApiKeys.fromFile(file('# the shop\n\na-key-of-the-shop-1\r\na-key-of-the-shop-2\n'))
    const names = ['a-key-of-the-shop-1', 'a-key-of-the-shop-2', '# the shop', ''].map((key) => keys.nameOf(key))
    expect(names.map((name) => name !== null)).toEqual([true, true, false, false])
    expect(names[0]).not.toBe(names[1])
  })

  it('are refused if one is short, or the file cannot be read', () => {
    expect(() => ApiKeys.fromFile(file('short'))).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(() => ApiKeys.fromFile('/nowhere')).toThrow(expect.objectContaining({ code: 'FILE_UNREADABLE' }))
  })
})
