import { createServer, type RequestListener } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo, Server } from 'node:net'
import { expect, it, onTestFinished } from 'vitest'
import { asJson, bearer, exchange, HttpFailure, type HttpRequest } from '../../src/http/exchange.js'
import { CERTIFICATE, KEY } from './certificate.js'

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function serving(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${await portOf(server)}`
}

const asked = (url: string, more: Partial<HttpRequest> = {}) =>
  exchange({ method: 'GET', url, timeout: 20_000, maxAnswer: 100, ...more })

it('sends JSON with its length and the token, and gives status, headers and bytes of whatever comes back', async () => {
  let seen: unknown
  const url = await serving(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { 'content-length': length, 'content-type': type, authorization } = request.headers
    seen = [request.method, request.url, length, type, authorization, body]
    response.writeHead(418, { etag: '"x"' }).end('né')
  })
  const answer = await asked(`${url}/a?b=c`, { method: 'PUT', ...asJson({ é: 1 }, 'k3y') })
  expect(seen).toEqual(['PUT', '/a?b=c', '8', 'application/json', 'Bearer k3y', '{"é":1}'])
  expect(answer).toMatchObject({ status: 418, headers: { etag: '"x"' } })
  expect(answer.body).toEqual(Buffer.from('né'))
  expect(bearer(null)).toEqual({})
})

it.each([301, 302, 303, 307, 308])('follows no redirect (%i), which would take the token elsewhere', async (status) => {
  const paths: unknown[] = []
  const url = await serving((request, response) => {
    paths.push(request.url)
    response.writeHead(status, { location: '/elsewhere' }).end()
  })
  expect((await asked(`${url}/`, { headers: bearer('k3y') })).status).toBe(status)
  expect(paths).toEqual(['/'])
})

it.each<readonly [string, RequestListener, string, string]>([
  ['says nothing', () => undefined, 'timeout', 'no answer within 300 ms'],
  ['stops within its answer', (_, r) => void r.write('{'), 'timeout', 'no answer within 300 ms'],
  [
    'sends a byte now and then',
    (_, r) => void setInterval(() => r.write('x'), 50).unref(),
    'timeout',
    'no answer within 300 ms',
  ],
  ['breaks off', (_, r) => void r.destroy(), 'connection', 'no connection (ECONNRESET)'],
  [
    'breaks off within its answer',
    (_, r) => void r.write('{', () => r.destroy()),
    'connection',
    'no connection (ECONNRESET)',
  ],
  ['answers without end', (_, r) => void r.write('x'.repeat(101)), 'too long', 'its answer has more than 100 bytes'],
])('a server that %s is a failure of its kind', async (_, answer, kind, message) => {
  const url = await serving(answer)
  const timeout = kind === 'timeout' ? 300 : 20_000
  await expect(asked(url, { timeout, headers: bearer('k3y') })).rejects.toMatchObject({ kind, message })
})

it('an answer of just the length is taken', async () => {
  const url = await serving((_, response) => void response.end('x'.repeat(100)))
  expect((await asked(url)).body).toHaveLength(100)
})

it('a server that is not there is a failure of the connection', async () => {
  const failed = asked('http://127.0.0.1:1/')
  await expect(failed).rejects.toBeInstanceOf(HttpFailure)
  await expect(failed).rejects.toMatchObject({ kind: 'connection', message: 'no connection (ECONNREFUSED)' })
})

it('ends with the reason of the signal, also within an answer', async () => {
  const stop = new AbortController()
  const url = await serving((_, response) => {
    response.write('{')
    stop.abort(new Error('stopped'))
  })
  await expect(asked(url, { signal: stop.signal })).rejects.toThrow('stopped')
})

it('connects to an address, and tells the server the name', async () => {
  let host: string | undefined
  const url = await serving((request, response) => {
    host = request.headers.host
    response.end()
  })
  const named = `http://models.example:${new URL(url).port}`
  expect((await asked(named, { address: '127.0.0.1' })).status).toBe(200)
  expect(host).toBe(new URL(named).host)
})

it('sends nothing to a server whose certificate nobody vouches for', async () => {
  let requests = 0
  const server = createTlsServer({ key: KEY, cert: CERTIFICATE }, (_, response) => {
    requests += 1
    response.end()
  })
  onTestFinished(() => void server.close())
  const url = `https://127.0.0.1:${await portOf(server)}`
  await expect(asked(url, { headers: bearer('k3y') })).rejects.toMatchObject({
    kind: 'connection',
    message: 'no connection (DEPTH_ZERO_SELF_SIGNED_CERT)',
  })
  expect(requests).toBe(0)
})
