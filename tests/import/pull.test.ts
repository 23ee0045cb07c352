import { readFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import type { FeedbackDraft } from '../../src/events/encode.js'
import { eventsOf } from '../../src/import/events.js'
import { FORMATS } from '../../src/import/formats.js'
import { ProductApi } from '../../src/import/pull/api.js'
import { pulled, SOURCES } from '../../src/import/pull/sources.js'
import { ReportBuilder } from '../../src/import/report.js'
import { fixture, plain } from './reading.js'

type Route = (request: IncomingMessage, url: URL) => unknown

/** A stand-in for a product; what it was asked is in `asked`. An answer of a number is a status. */
async function product(route: Route) {
  const asked: string[] = []
  const server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const url = new URL(request.url ?? '', 'http://x')
    asked.push(`${request.method} ${decodeURIComponent(request.url ?? '')}${body && ` ${body}`}`)
    const answer = route(request, url)
    response.statusCode = typeof answer === 'number' ? answer : 200
    response.end(typeof answer === 'string' ? answer : JSON.stringify(answer))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

async function pull(name: string, url: string, options: { since?: number; key?: string; project?: string } = {}) {
  const source = SOURCES.find(({ format }) => format === name)!
  const format = FORMATS.find((each) => each.name === name)!
  const { since = null, key, project } = options
  const authorization = key === undefined ? null : source.authorization(key)
  const api = new ProductApi({ url, authorization, waits: [1, 1] })
  const report = new ReportBuilder(name, name)
  const found = pulled({ source, format }, api, { since, ...(project !== undefined && { project }) })
  const events: FeedbackDraft[] = []
  const choice = { source: name, userOf: (user: string) => user, maxBytes: 2 ** 20 }
  for await (const event of eventsOf(found, choice, report)) events.push(event)
  return { events: events.map(plain), report: report.report() }
}

const json = (name: string) => JSON.parse(readFileSync(fixture(name), 'utf8'))

it('Open WebUI: takes the export as a whole, as the administrator of the key', async () => {
  const { asked, url } = await product(({ headers }) =>
    headers.authorization === 'Bearer k3y' ? json('open-webui.json') : 401,
  )
  const { events, report } = await pull('open-webui', `${url}/`, { key: 'k3y' })
  expect([events.length, report.skipped]).toEqual([3, 7])
  expect(report.skipped_records).toContainEqual({ place: 'feedbacks/f6', reason: 'context_missing' })
  expect(asked).toEqual(['GET /api/v1/evaluations/feedbacks/all/export'])
  await expect(pull('open-webui', url, { key: 'other' })).rejects.toMatchObject({ code: 'IMPORT_SOURCE_REFUSED' })
})

const score = (id: string, traceId: string) => ({
  ...{ id, name: 'user-feedback', value: true, dataType: 'BOOLEAN', source: 'API', updatedAt: '2026-03-01T12:00:00Z' },
  subject: { kind: 'trace', id: traceId },
})
const observation = { id: 'o', type: 'GENERATION', model: 'bcod', input: 'Hi', output: 'Hello!' }

it('Langfuse: follows the cursor, asks for each trace once, and knows servers of versions 2 and 4', async () => {
  const { asked, url } = await product((_, { pathname, searchParams }) => {
    if (pathname === '/api/public/v3/scores') {
      const last = searchParams.get('cursor') === 'c2'
      return last
        ? { data: [score('s3', 't2')], meta: { limit: 100 } }
        : { data: [score('s1', 't1'), score('s2', 't1')], meta: { limit: 100, cursor: 'c2' } }
    }
    if (pathname === '/api/public/traces/t1') return { id: 't1', userId: 'u7', observations: [observation], scores: [] }
    if (pathname === '/api/public/v2/observations') return { data: [{ ...observation, traceId: 't2' }], meta: {} }
    return 404
  })
  const { events } = await pull('langfuse', url, { since: Date.parse('2026-03-01T00:00:00Z'), key: 'pk:sk' })
  expect(events).toEqual([
    [true, 'u7', ['user: Hi'], 'Hello!'],
    [true, 'u7', ['user: Hi'], 'Hello!'],
    [true, null, ['user: Hi'], 'Hello!'],
  ])
  expect(asked.map((each) => each.replace(/&limit.*?(?=&cursor|$)/, ''))).toEqual([
    'GET /api/public/v3/scores?name=user-feedback&fromTimestamp=2026-03-01T00:00:00.000Z',
    'GET /api/public/traces/t1',
    'GET /api/public/v3/scores?name=user-feedback&fromTimestamp=2026-03-01T00:00:00.000Z&cursor=c2',
    'GET /api/public/traces/t2',
    'GET /api/public/v2/observations?traceId=t2&fields=core,basic,io,model',
  ])
  const older = await product((_, { pathname, searchParams }) => {
    if (pathname === '/api/public/traces/t1') return { id: 't1', userId: 'u7', observations: [observation] }
    if (pathname !== '/api/public/v2/scores') return 404
    return {
      data: [{ ...score(`s${searchParams.get('page')}`, ''), traceId: 't1', subject: null }],
      meta: { totalPages: 2 },
    }
  })
  expect((await pull('langfuse', older.url)).events).toHaveLength(2)
})

it('MLflow: follows page tokens over all experiments, and asks for traces that have assessments', async () => {
  const traces = readFileSync(fixture('mlflow-api.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  const infos = traces.map(({ trace }) => trace.trace_info)
  const { asked, url } = await product((_, { pathname, searchParams }) => {
    if (pathname.endsWith('experiments/search')) return { experiments: [{ experiment_id: '1' }] }
    if (pathname.endsWith('traces/search')) {
      const second = asked.at(-1)?.includes('"page_token":"p2"')
      return second ? { traces: [infos[1]] } : { traces: [infos[0], { trace_id: 'tr-x' }], next_page_token: 'p2' }
    }
    return traces.find(({ trace }) => trace.trace_info.trace_id === searchParams.get('trace_id'))
  })
  const { events } = await pull('mlflow', url, { since: 1_000_000 })
  expect(events).toEqual([
    [true, 'user_9', ['system: Be short.', 'user: Where is the lift?'], 'Behind you.'],
    [true, 'user_123', ['user: Hi'], 'Hello!'],
  ])
  expect(asked.filter((each) => each.includes('traces/get'))).toHaveLength(2)
  expect(asked[1]).toContain('"filter":"trace.timestamp_ms >= 1000000"')
})

it('Phoenix: asks for the annotations of each page of spans', async () => {
  const { asked, url } = await product((_, { pathname }) => {
    if (pathname === '/v1/projects') return { data: [{ id: 'P1', name: 'chat' }], next_cursor: null }
    return json(pathname.endsWith('/spans') ? 'phoenix-spans.json' : 'phoenix-annotations.json')
  })
  expect((await pull('phoenix', url)).events).toHaveLength(2)
  expect(asked[1]).toBe('GET /v1/projects/P1/spans?limit=100')
  expect(asked[2]).toMatch(
    /^GET \/v1\/projects\/P1\/span_annotations\?span_ids=b3cb.*&span_ids=3c2d.*&include_annotation_names=user_feedback/,
  )
})

it('tries again what may pass by itself, and says what does not', async () => {
  let calls = 0
  const flaky = await product(() => (++calls < 3 ? (calls === 1 ? 503 : 429) : []))
  expect((await pull('open-webui', flaky.url)).events).toEqual([])
  const gone = await product(() => 502)
  const place = '/api/v1/evaluations/feedbacks/all/export'
  await expect(pull('open-webui', gone.url)).rejects.toMatchObject({ code: 'IMPORT_SOURCE_UNREACHABLE', place })
  expect(gone.asked).toHaveLength(3)
  await expect(pull('open-webui', 'http://127.0.0.1:1')).rejects.toMatchObject({ code: 'IMPORT_SOURCE_UNREACHABLE' })
  for (const answer of ['<!doctype html>', 302, 400, 404, { detail: 'x' }]) {
    const { url } = await product(() => answer)
    await expect(pull('open-webui', url), String(answer)).rejects.toMatchObject({ code: 'IMPORT_SOURCE_INVALID' })
  }
})
