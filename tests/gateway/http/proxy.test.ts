import { request as openHttp } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { Agent } from 'undici'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { hashedUser } from '../../../src/events/hashed-user.js'
import { frontOf } from '../../../src/gateway/http/front.js'
import { type ProxyOptions, proxyPlugin } from '../../../src/gateway/http/proxy.js'
import { Routes } from '../../../src/gateway/upstream/routes.js'
import { Upstreams } from '../../../src/gateway/upstream/upstreams.js'
import { readVoteToken } from '../../../src/gateway/vote-token.js'
import { GatewayMetrics } from '../../../src/telemetry/gateway-metrics.js'
import { MemoryCompletions } from '../../support/memory-completions.js'
import { CHAT, CHAT_EVENTS, json, StandInUpstream } from '../../support/upstream.js'

const SALT = 'a salt that is long enough'
const KEY = Buffer.from('0123456789abcdef0123456789abcdef')
const ROUTING = {
  ...{ generation: 3, name: 'bcod', salt: 'pepper' },
  arms: [{ name: 'live', version: 'v00000012', model: 'bcod-v00000012', share: 1 }],
}
const ASK = { model: 'shop', messages: [{ role: 'user', content: 'Where are you?' }], user: 'ann' }

let upstream: StandInUpstream
let log: MemoryCompletions
let metrics: GatewayMetrics
let front: FastifyInstance
/** Above the limit of the model server, whose timer is coarse; a test of slow clients sets its own. */
let idleTimeout: number
let closing: (() => unknown)[]
const failures: unknown[] = []

async function open(over: Partial<ProxyOptions> = {}, routing: object | null = ROUTING): Promise<string> {
  const dispatcher = new Agent({ headersTimeout: 1000, bodyTimeout: 1000 })
  const upstreams = new Upstreams({ urls: [upstream.url], dispatcher, headers: {} })
  const routes = new Routes({ read: async () => (routing === null ? null : JSON.stringify(routing)), model: 'shop' })
  await routes.start()
  front = await frontOf({
    maxBodyBytes: 1_000_000,
    corsOrigins: ['https://chat.example.com'],
    idleTimeout,
    metrics,
  })
  await front.register(proxyPlugin, {
    ...{ upstreams, dispatcher, routes, log, metrics, upstreamKey: null, userSalt: SALT, voteKey: KEY },
    ...{ voteTtl: 60_000, tokenIds: false, maxRecordBytes: 100_000, model: 'shop', maxBodyBytes: 1_000_000 },
    failed: (error) => failures.push(error),
    ...over,
  })
  closing.push(
    () => front.close(),
    () => routes.close(),
    () => upstreams.close(),
    () => dispatcher.destroy(),
  )
  return front.listen({ host: '127.0.0.1', port: 0 })
}

const ask = (base: string, body: unknown = ASK, path = '/v1/chat/completions', headers: Record<string, string> = {}) =>
  fetch(base + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
const eventually = async (holds: () => boolean) => {
  for (const end = Date.now() + 20_000; !holds() && Date.now() < end; ) await sleep(5)
  expect(holds()).toBe(true)
}

beforeEach(async () => {
  upstream = await StandInUpstream.start()
  log = new MemoryCompletions()
  metrics = new GatewayMetrics()
  idleTimeout = 10_000
  closing = [() => upstream.close()]
  failures.length = 0
})
afterEach(async () => {
  for (const close of closing.reverse()) await close()
  expect(failures).toEqual([])
})

describe('an answer', () => {
  it('is that of the arm, but for id and model, and can be voted on', async () => {
    const answer = await ask(await open())
    const id = ((await answer.clone().json()) as { id: string }).id
    expect(await answer.json()).toEqual({ ...CHAT, id, model: 'shop' })
    expect(id).toMatch(/^cmpl-[0-9a-f-]{36}$/)
    expect(answer.headers.get('x-bcod-adapter')).toBe('v00000012')
    expect(answer.headers.get('server')).toBe('uvicorn')
    const user = hashedUser('ann', SALT)
    expect(JSON.parse(upstream.last.body.toString())).toEqual({ ...ASK, model: 'bcod-v00000012', user })
    expect(await readVoteToken(answer.headers.get('x-bcod-vote')!, [KEY], new Date())).toMatchObject({
      ...{ completion: id, user },
    })
    expect(log.records).toEqual([
      expect.objectContaining({
        ...{ id, user, model: 'shop', adapter: 'v00000012', arm: 'live', votable: true, finishReason: 'stop' },
        ...{ prompt: ASK.messages, completion: 'Grüße aus 東京 🗼', usage: CHAT.usage },
      }),
    ])
  })

  it.each([1, 2, 3, 7, 50, 10_000])('streamed in pieces of %i bytes is the same to the byte', async (size) => {
    const whole = Buffer.from(CHAT_EVENTS.join(''))
    upstream.handle = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (let at = 0; at < whole.length; at += size) {
        response.write(whole.subarray(at, at + size))
        if (size > 2) await new Promise(setImmediate)
      }
      response.end()
    }
    const answer = await ask(await open(), { ...ASK, stream: true })
    const text = await answer.text()
    const id = /"id":"(cmpl-[^"]*)"/.exec(text)![1]!
    const expected = whole.toString().replaceAll(CHAT.id, id).replaceAll('bcod-v00000012', 'shop')
    expect(text).toBe(expected)
    await eventually(() => log.records.length === 1)
    expect(log.records[0]).toMatchObject({ id, completion: 'Grüße aus 東京 🗼', votable: true })
  })

  it('goes on piece by piece, as it comes', async () => {
    const gates = CHAT_EVENTS.map(() => gate())
    upstream.handle = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (const [i, text] of CHAT_EVENTS.entries()) {
        response.write(text)
        await gates[i]!.promise
      }
      response.end()
    }
    const answer = await ask(await open(), { ...ASK, stream: true })
    const reader = answer.body!.getReader()
    // the next piece is sent only after this one has arrived
    for (const { resolve } of gates) {
      expect((await reader.read()).done).toBe(false)
      resolve()
    }
    expect((await reader.read()).done).toBe(true)
  })

  it('has no token while the log is away, and flows', async () => {
    log.available = false
    const answer = await ask(await open())
    expect(answer.status).toBe(200)
    expect(answer.headers.has('x-bcod-vote')).toBe(false)
    expect(await metrics.text()).toContain('bcod_gateway_completions_logged_total{outcome="untokened"} 1')
  })

  it('to several choices can be voted on choice by choice', async () => {
    const choices = [0, 1].map((index) => ({ ...CHAT.choices[0], index }))
    upstream.handle = (_, response) => json(response, { ...CHAT, choices })
    const { id } = (await (await ask(await open(), { ...ASK, n: 2 })).json()) as { id: string }
    expect(log.records.map((record) => record.id)).toEqual([id, `${id}:1`])
  })

  it('has exact token ids in the log and not in what the client gets', async () => {
    const ids = { prompt_token_ids: [1, 2], choices: [{ ...CHAT.choices[0], token_ids: [3, 4] }] }
    upstream.handle = (_, response) => json(response, { ...CHAT, ...ids })
    const answer = await ask(await open({ tokenIds: true }))
    expect(JSON.parse(upstream.last.body.toString())).toMatchObject({ return_token_ids: true })
    expect(await answer.json()).toMatchObject({ prompt_token_ids: null, choices: [{ token_ids: null }] })
    expect(log.records[0]).toMatchObject({ promptTokens: [1, 2], completionTokens: [3, 4] })
  })

  it('to a prompt with images passes, and cannot be voted on', async () => {
    const content = [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }]
    const answer = await ask(await open(), { ...ASK, messages: [{ role: 'user', content }] })
    expect(answer.status).toBe(200)
    expect(log.records).toEqual([expect.objectContaining({ votable: false, reason: 'media', prompt: '' })])
    expect(await metrics.text()).toContain('bcod_gateway_unvotable_total{reason="media"} 1')
  })

  it('of a version is that of the base while nothing is published', async () => {
    await ask(await open({}, null))
    expect(upstream.last.body.toString()).toBe(JSON.stringify({ ...ASK, user: hashedUser('ann', SALT) }))
    expect(log.records[0]).toMatchObject({ adapter: null, arm: null })
  })

  it('of another model than the alignment is for goes on as it is', async () => {
    const answer = await ask(await open(), { ...ASK, model: 'other' })
    expect(answer.headers.get('x-bcod-adapter')).toBe('base')
    expect(JSON.parse(upstream.last.body.toString()).model).toBe('other')
  })
})

describe('what fails', () => {
  it.each([400, 401, 429, 500, 503])('status %i of the model server arrives as it is', async (status) => {
    upstream.handle = (_, response) => json(response, { error: { message: 'no' } }, status)
    const answer = await ask(await open())
    expect([answer.status, await answer.json()]).toEqual([status, { error: { message: 'no' } }])
    expect(answer.headers.has('x-bcod-vote')).toBe(false)
    expect(log.records).toEqual([])
  })

  it('a server that dies in the middle breaks the connection, and nobody votes on half an answer', async () => {
    upstream.handle = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write(CHAT_EVENTS.slice(0, 2).join(''), () => setTimeout(() => response.destroy(), 100))
    }
    const answer = await ask(await open(), { ...ASK, stream: true })
    await expect(answer.text()).rejects.toThrow()
    await eventually(() => log.records.length === 1)
    expect(log.records[0]).toMatchObject({ votable: false, reason: 'cut' })
    expect(await metrics.text()).toContain('bcod_gateway_unvotable_total{reason="cut"} 1')
  })

  it('a server that dies before the first byte is one that did not answer', async () => {
    upstream.handle = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream', 'content-length': '100' })
      response.flushHeaders()
      setTimeout(() => response.destroy(), 50)
    }
    const answer = await ask(await open(), { ...ASK, stream: true })
    expect([answer.status, await answer.json()]).toMatchObject([502, { error: { code: 'UPSTREAM_UNREACHABLE' } }])
    expect(answer.headers.has('x-bcod-vote')).toBe(false)
    await eventually(() => log.records.length === 1)
    expect(log.records[0]).toMatchObject({ votable: false, reason: 'cut' })
  })

  it('a client that leaves ends the work of the server', async () => {
    upstream.handle = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      while (!response.destroyed) {
        response.write(CHAT_EVENTS[1])
        await sleep(5)
      }
    }
    const base = await open()
    const left = new AbortController()
    const answer = await fetch(`${base}/v1/chat/completions`, {
      ...{ method: 'POST', body: JSON.stringify({ ...ASK, stream: true }), signal: left.signal },
      headers: { 'content-type': 'application/json' },
    })
    await answer.body!.getReader().read()
    left.abort()
    await eventually(() => upstream.left === 1 && log.records.length === 1)
    expect(log.records[0]).toMatchObject({ votable: false, reason: 'client_left' })
    expect(await metrics.text()).toContain('bcod_gateway_unvotable_total{reason="client_left"} 1')
  })

  it('a client that leaves before the answer begins ends it, too', async () => {
    upstream.handle = () => {}
    const base = await open()
    const left = new AbortController()
    const answer = fetch(`${base}/v1/chat/completions`, {
      ...{ method: 'POST', body: JSON.stringify(ASK), signal: left.signal },
      headers: { 'content-type': 'application/json' },
    })
    await eventually(() => upstream.received.length === 1)
    left.abort()
    await expect(answer).rejects.toThrow()
    await eventually(() => upstream.left === 1)
  })

  it('a server that is not there, or says nothing, is told from one that refuses', async () => {
    const base = await open()
    upstream.handle = () => {}
    const slow = await ask(base)
    expect([slow.status, await slow.json()]).toMatchObject([504, { error: { code: 'UPSTREAM_TIMEOUT' } }])
    await upstream.close()
    const gone = await ask(base)
    expect([gone.status, await gone.json()]).toMatchObject([502, { error: { code: 'UPSTREAM_UNREACHABLE' } }])
  })

  it('a body that is too large is refused before it is read', async () => {
    const answer = await ask(await open(), 'x'.repeat(2_000_000))
    expect([answer.status, await answer.json()]).toMatchObject([413, { error: { code: 'REQUEST_TOO_LARGE' } }])
    expect(upstream.received).toEqual([])
  })

  it('an upload of 100 MB is refused at once, and its connection ends', async () => {
    const base = new URL(await open())
    const begun = performance.now()
    const status = await new Promise<number>((resolve) => {
      const request = openHttp(
        { host: base.hostname, port: base.port, path: '/v1/embeddings', method: 'POST' },
        (answer) => {
          answer.resume()
          resolve(answer.statusCode ?? 0)
        },
      )
      request.on('error', () => resolve(0))
      const piece = Buffer.alloc(2 ** 20)
      let left = 100
      const write = (): void => {
        while (left-- > 0 && !request.destroyed) if (!request.write(piece)) return void request.once('drain', write)
        request.end()
      }
      write()
    })
    // the answer, or the end of the connection while the client still writes
    expect([413, 0]).toContain(status)
    expect(performance.now() - begun).toBeLessThan(10_000)
    expect(upstream.received).toEqual([])
  })

  it('a client that stops reading does not hold the server for ever', async () => {
    upstream.handle = async (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const piece = `data: ${'x'.repeat(100_000)}\n\n`
      while (!response.destroyed) if (!response.write(piece)) await sleep(5)
    }
    idleTimeout = 500
    const base = new URL(await open({ maxRecordBytes: 1000 }))
    const request = openHttp({ host: base.hostname, port: base.port, path: '/v1/chat/completions', method: 'POST' })
    request.on('response', (answer) => answer.pause())
    request.on('error', () => undefined)
    request.setHeader('content-type', 'application/json')
    request.end(JSON.stringify({ ...ASK, stream: true }))
    await eventually(() => upstream.left === 1 && log.records.length === 1)
    expect(log.records[0]).toMatchObject({ votable: false })
  })

  it.each([
    '/v1/load_lora_adapter',
    '/v1/unload_lora_adapter',
    '/v1/%2e%2e/metrics',
    '/v1/..%2fmetrics',
    '/v1//load_lora_adapter/',
  ])('%s is not passed on', async (path) => {
    const base = new URL(await open())
    const status = await new Promise<number>((resolve, reject) => {
      const request = openHttp({ host: base.hostname, port: base.port, path, method: 'POST' }, (answer) => {
        answer.resume()
        resolve(answer.statusCode ?? 0)
      })
      request.on('error', reject).end('{}')
    })
    expect(status).toBe(404)
    expect(upstream.received).toEqual([])
  })
})

describe('what else is asked for', () => {
  it('passes unchanged, with method, query, headers and body', async () => {
    upstream.handle = (_, response) => json(response, { data: [1] }, 201)
    const headers = { 'x-trace': '7', 'x-bcod-user': 'ann', authorization: 'Bearer k' }
    const answer = await ask(await open(), 'not JSON', '/v1/embeddings?a=b%20c', headers)
    expect([answer.status, await answer.json()]).toEqual([201, { data: [1] }])
    expect(upstream.last).toMatchObject({
      method: 'POST',
      url: '/v1/embeddings?a=b%20c',
      body: Buffer.from('not JSON'),
    })
    expect(upstream.last.headers).toMatchObject({ 'x-trace': '7', authorization: 'Bearer k' })
    expect(upstream.last.headers).not.toHaveProperty('x-bcod-user')
  })

  it('a request that is no JSON goes to the server, which says so', async () => {
    upstream.handle = (_, response) => json(response, { error: 'bad' }, 400)
    const answer = await ask(await open(), '{"model":')
    expect([answer.status, upstream.last.body.toString()]).toEqual([400, '{"model":'])
  })

  it('models are listed without versions, and with the name that the arms answer', async () => {
    const list = (await (await fetch(`${await open()}/v1/models`)).json()) as { data: { id: string }[] }
    expect(list.data.map(({ id }) => id)).toEqual(['shop', 'base'])
  })

  it('a page of the named origin may ask and read the token, no other may', async () => {
    const base = await open()
    const asked = (origin: string) =>
      fetch(`${base}/v1/chat/completions`, {
        method: 'OPTIONS',
        headers: { origin, 'access-control-request-method': 'POST' },
      })
    expect((await asked('https://chat.example.com')).headers.get('access-control-allow-origin')).toBe(
      'https://chat.example.com',
    )
    expect((await asked('https://evil.example.com')).headers.get('access-control-allow-origin')).not.toBe(
      'https://evil.example.com',
    )
    const answer = await ask(base, ASK, '/v1/chat/completions', { origin: 'https://chat.example.com' })
    expect(answer.headers.get('access-control-expose-headers')).toContain('x-bcod-vote')
  })

  it('is counted by route and status', async () => {
    const base = await open()
    await ask(base)
    await ask(base, {}, '/v1/embeddings/x')
    await eventually(() => upstream.received.length === 2)
    const text = await metrics.text()
    expect(text).toContain('bcod_gateway_requests_total{route="/v1/chat/completions",status="200"} 1')
    expect(text).toContain('bcod_gateway_requests_total{route="/v1/*",status="200"} 1')
    expect(text).toContain('bcod_gateway_first_byte_seconds_count 1')
  })
})

/** A promise, and what keeps it. */
function gate(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<void>((done) => {
    resolve = done
  })
  return { promise, resolve: () => resolve() }
}
