import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EmbeddingEndpoint, type EndpointOptions } from '../../src/embeddings/endpoint.js'
import type { TrainingEvent } from '../../src/events/types.js'

interface Asked {
  readonly path: string | undefined
  readonly authorization: string | undefined
  readonly model: string
  readonly input: readonly string[]
}

let server: Server
let asked: Asked[]
/** What the server does with the nth request; embeds by default. */
let answer: (number: number, response: ServerResponse, input: readonly string[]) => void
const counts: Record<string, number> = {}
let failures: string[]

const embeddingOf = (text: string, width = 4) => Array.from({ length: width }, (_, i) => text.length + 0.1 * i)
const good = (_: number, response: ServerResponse, input: readonly string[]) => {
  // in another order: the index tells
  const data = input.map((text, index) => ({ index, embedding: embeddingOf(text) })).reverse()
  response.end(JSON.stringify({ object: 'list', data }))
}

beforeEach(async () => {
  asked = []
  failures = []
  answer = good
  for (const name of Object.keys(counts)) delete counts[name]
  server = createServer(async (request: IncomingMessage, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { model, input } = JSON.parse(body) as { model: string; input: string[] }
    asked.push({ path: request.url, authorization: request.headers.authorization, model, input })
    answer(asked.length, response, input)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

function endpoint(options: Partial<EndpointOptions> = {}): EmbeddingEndpoint {
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
  return new EmbeddingEndpoint(
    { url, token: 'secret', model: 'e5', timeout: 30_000, retries: 1, cache: 100, seed: 1, ...options },
    {
      textsOf: async (prompts) => prompts.map((tokens) => 'x'.repeat(tokens.length)),
      counted: (outcome, count) => {
        counts[outcome] = (counts[outcome] ?? 0) + count
      },
      failed: (error) => failures.push(`${error.code} ${error.message}`),
    },
  )
}

const event = (...promptTokens: number[]): TrainingEvent => ({
  position: { topic: 't', partition: 0, offset: 0 },
  ...{ timestamp: 0, source: 's', id: 'i', subject: null, user: null, label: true, weight: 1 },
  ...{ promptTokens, completionTokens: [1] },
})
const embeddings = (events: readonly TrainingEvent[]) =>
  events.map(({ promptEmbedding }) => promptEmbedding && [...promptEmbedding])
const rounded = (text: string) => [...Float32Array.from(embeddingOf(text))]

test.each([301, 302, 303, 307, 308])('a redirect (%i) takes prompts nowhere, and is told', async (status) => {
  const elsewhere = `http://127.0.0.1:${(server.address() as AddressInfo).port}/elsewhere`
  answer = (_number, response) => response.writeHead(status, { location: elsewhere }).end()
  const events = await endpoint().embed([event(1, 2)])
  expect(asked.map(({ path }) => path)).toEqual(['/v1/embeddings'])
  expect(embeddings(events)).toEqual([null])
  expect(failures).toEqual([`EMBEDDINGS_UNAVAILABLE it redirects (status ${status}), which is not followed`])
})

test('asks once for all prompts of a step, each prompt once, and gives each its own', async () => {
  const events = await endpoint().embed([event(1, 2), event(3), event(1, 2)])
  expect(asked).toEqual([{ path: '/v1/embeddings', authorization: 'Bearer secret', model: 'e5', input: ['xx', 'x'] }])
  expect(embeddings(events)).toEqual([rounded('xx'), rounded('x'), rounded('xx')])
})

test('what it has been told it does not ask again, as long as the cache has room', async () => {
  const two = endpoint({ cache: 2 })
  await two.embed([event(1), event(2, 2)])
  await two.embed([event(1)])
  await two.embed([event(3, 3, 3)]) // drops [2, 2], which was used longest ago
  await two.embed([event(1)])
  await two.embed([event(2, 2)])
  expect(asked.map(({ input }) => input)).toEqual([['x', 'xx'], ['xxx'], ['xx']])
  expect(counts).toEqual({ cached: 2, embedded: 4 })
})

test('tries again after a failure that may pass', async () => {
  for (const status of [500, 503, 429]) {
    answer = (number, response, input) =>
      number % 2 ? response.writeHead(status).end() : good(number, response, input)
    const events = await endpoint({ cache: 0 }).embed([event(1)])
    expect(embeddings(events)).toEqual([rounded('x')])
  }
  expect(asked).toHaveLength(6)
  expect(failures).toEqual([])
})

test('gives up after its retries, says so once until it works again, and the events have none', async () => {
  const one = endpoint()
  answer = (_, response) => response.writeHead(502).end()
  expect(embeddings(await one.embed([event(1), event(2)]))).toEqual([null, null])
  expect(embeddings(await one.embed([event(1)]))).toEqual([null])
  expect(asked).toHaveLength(4)
  expect(failures).toEqual(['EMBEDDINGS_UNAVAILABLE status 502'])
  answer = good
  expect(embeddings(await one.embed([event(1)]))).toEqual([rounded('x')])
  answer = (_, response) => response.writeHead(401).end()
  expect(embeddings(await one.embed([event(9)]))).toEqual([null])
  expect(failures).toEqual(['EMBEDDINGS_UNAVAILABLE status 502', 'EMBEDDINGS_UNAVAILABLE status 401'])
  expect(counts).toEqual({ cached: 0, failed: 4, embedded: 1 })
  // a refusal is not tried again
  expect(asked).toHaveLength(6)
})

test('does not wait for an answer that does not come, nor for a server that is gone', async () => {
  answer = () => undefined
  expect(embeddings(await endpoint({ timeout: 300 }).embed([event(1)]))).toEqual([null])
  expect(failures).toEqual(['EMBEDDINGS_UNAVAILABLE no answer within 300 ms'])
  const gone = endpoint()
  server.closeAllConnections()
  server.close()
  expect(embeddings(await gone.embed([event(1)]))).toEqual([null])
  expect(failures.at(-1)).toBe('EMBEDDINGS_UNAVAILABLE no connection (ECONNREFUSED)')
})

test.each<[string, (input: readonly string[]) => string]>([
  ['no JSON', () => 'not json'],
  ['too few', (input) => JSON.stringify({ data: input.slice(1).map((text) => ({ embedding: embeddingOf(text) })) })],
  ['not numbers', () => JSON.stringify({ data: [{ embedding: ['a'] }, { embedding: ['b'] }] })],
  ['not finite', () => '{"data":[{"embedding":[1e999]},{"embedding":[1]}]}'],
  ['of two widths', () => JSON.stringify({ data: [{ embedding: [1] }, { embedding: [1, 2] }] })],
  ['twice the same', () => JSON.stringify({ data: [0, 0].map((index) => ({ index, embedding: [1] })) })],
])('an answer that is %s is none', async (_, text) => {
  answer = (_number, response, input) => response.end(text(input))
  expect(embeddings(await endpoint().embed([event(1), event(2, 2)]))).toEqual([null, null])
  expect(asked).toHaveLength(1)
})

test('wide embeddings are projected to 256, always in the same way; another width than before is refused', async () => {
  let width = 1_024
  answer = (_, response, input) =>
    response.end(JSON.stringify({ data: input.map((text) => ({ embedding: embeddingOf(text, width) })) }))
  const [first, again] = [endpoint(), endpoint()]
  const [a, b] = [await first.embed([event(1, 2, 3)]), await again.embed([event(1, 2, 3)])]
  expect(a[0]!.promptEmbedding).toHaveLength(256)
  expect(a[0]!.promptEmbedding).toEqual(b[0]!.promptEmbedding)
  width = 512
  expect(embeddings(await first.embed([event(4)]))).toEqual([null])
  expect(failures).toEqual(['EMBEDDINGS_UNAVAILABLE an embedding of width 512 after 1024'])
})
