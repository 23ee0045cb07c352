import { once } from 'node:events'
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { connect, type Socket } from 'node:net'
import { NEVER } from 'rxjs'
import { afterEach, describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { Accepted } from '../../src/server/admin.js'
import type { Check } from '../../src/server/health.js'
import type { Refusal } from '../../src/server/refusals.js'
import { StatusServer, type StatusServerOptions, type StatusSources } from '../../src/server/server.js'
import { LifecycleChanged } from '../../src/telemetry/events/daemon.js'
import { capture } from '../telemetry/capture.js'

const servers: StatusServer[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

const calm: StatusSources = {
  metrics: async () => 'bcod_delta 0.5\n',
  live: () => [{ name: 'event_loop', ok: true }],
  ready: () => [{ name: 'model', ok: true }],
  status: () => ({ state: 'running', step: 3, lag: { 0: 1 } }),
  history: (since) => ({ since }),
  tap$: NEVER,
}

async function start(
  sources: Partial<StatusSources> = {},
  adminToken: string | null = null,
  options: Partial<StatusServerOptions> = {},
) {
  const server = new StatusServer({ host: '127.0.0.1', port: 0, adminToken, ...options }, { ...calm, ...sources })
  servers.push(server)
  const port = await server.listen()
  const get = (path: string, init?: RequestInit) => fetch(`http://127.0.0.1:${port}${path}`, init)
  return { server, port, get }
}

describe('metrics', () => {
  it('are those of the registry, with the type that Prometheus expects', async () => {
    const { telemetry, metrics } = capture('silent')
    telemetry.emit(new LifecycleChanged('running'))
    const { get } = await start({ metrics: () => metrics.text() })
    const response = await get('/metrics')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe(metrics.contentType)
    expect(await response.text()).toContain('bcod_lifecycle_state{state="running"} 1')
  })
})

describe('routing', () => {
  it('is what routers read, and 503 before anything was published', async () => {
    const routing = { generation: 3, name: 'bcod', arms: [], salt: 'salt' }
    const { get } = await start({ routing: () => routing })
    const response = await get('/routing')
    expect([response.status, await response.json()]).toEqual([200, routing])
    const { get: early } = await start({ routing: () => null })
    const refused = await early('/routing')
    expect([refused.status, await refused.json()]).toEqual([
      503,
      { error: expect.objectContaining({ code: 'NOT_RUNNING' }) },
    ])
  })
})

describe('probes', () => {
  const failing: readonly Check[] = [
    { name: 'model', ok: true },
    { name: 'partitions', ok: false, detail: '2 of 3' },
    { name: 'fence', ok: false },
  ]

  it.each(['/livez', '/readyz'])('%s is 200 when all is well', async (path) => {
    const { get } = await start()
    const response = await get(path)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ ok: true, failing: [] })
  })

  it.each([
    ['/livez', 'live'],
    ['/readyz', 'ready'],
  ])('%s is 503 with the checks that fail', async (path, source) => {
    const { get } = await start({ [source]: () => failing })
    const response = await get(path)
    expect(response.status).toBe(503)
    expect(await response.json()).toEqual({
      ok: false,
      failing: [
        { name: 'partitions', detail: '2 of 3' },
        { name: 'fence', detail: null },
      ],
    })
  })

  it('are asked anew for each request', async () => {
    let ok = false
    const { get } = await start({ ready: () => [{ name: 'model', ok }] })
    expect((await get('/readyz')).status).toBe(503)
    ok = true
    expect((await get('/readyz')).status).toBe(200)
  })
})

describe('status and history', () => {
  it('/status is the object that the daemon supplies', async () => {
    const { get } = await start()
    const response = await get('/status?pretty')
    expect(response.headers.get('content-type')).toContain('application/json')
    expect(await response.json()).toEqual({ state: 'running', step: 3, lag: { 0: 1 } })
  })

  it('/v1/history is the last hour, or what of it is asked for', async () => {
    const { get } = await start()
    const response = await get('/v1/history')
    expect(response.headers.get('content-type')).toContain('application/json')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(await response.json()).toEqual({ since: 0 })
    expect(await (await get('/v1/history?since=1800000005.25')).json()).toEqual({ since: 1_800_000_005.25 })
  })

  it.each(['yesterday', '-1', '1e9', '', '9'.repeat(30)])('/v1/history is 400 since %j', async (since) => {
    const { get } = await start()
    const response = await get(`/v1/history?since=${since}`)
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 'QUERY_INVALID' } })
  })
})

describe('requests that go nowhere', () => {
  it.each(['/nothing', '//', '/..%2fetc', '/v1/adminx', '/v1/admin/promote'])('%s is 404 as JSON', async (path) => {
    const { get } = await start()
    const response = await get(path)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ error: { code: 'NOT_FOUND' } })
  })

  it.each(['POST', 'PUT', 'DELETE'])('%s on a readable path is 405 and names what is allowed', async (method) => {
    const { get } = await start()
    const response = await get('/status', { method })
    expect(response.status).toBe(405)
    expect(response.headers.get('allow')).toBe('GET, HEAD')
    expect(await response.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } })
  })

  it.each(['/metrics', '/livez', '/readyz', '/status', '/v1/history', '/', '/assets/uplot.js'])(
    'HEAD %s has the headers of GET and no body',
    async (path) => {
      const { get } = await start()
      const [head, full] = [await get(path, { method: 'HEAD' }), await get(path)]
      expect(head.status).toBe(200)
      expect(head.headers.get('content-length')).toBe(String(Buffer.byteLength(await full.text())))
      expect(await head.text()).toBe('')
    },
  )

  it('a source that fails is 500 without its reason, which goes to the log', async () => {
    const seen: unknown[] = []
    const failed = (error: unknown) => void seen.push(error)
    const status = () => {
      throw new Error('secret detail')
    }
    const { get } = await start({ status, failed })
    const response = await get('/status')
    expect(response.status).toBe(500)
    expect(await response.text()).not.toContain('secret detail')
    expect(seen).toEqual([new Error('secret detail')])
  })
})

describe('admin verbs', () => {
  const bearer = (token: string, body?: string): RequestInit => ({
    method: 'POST',
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body }),
  })

  async function admin() {
    const started = await start({}, 'open-sesame')
    started.server.registerVerb('echo', async (body) => ({ body }))
    started.server.registerVerb('refuse', async () => {
      throw new BcodError('CONFIG_MISSING', 'no registry.', { remedy: 'Set it.' })
    })
    return started
  }

  it('do not exist without a token in the configuration', async () => {
    const { get, server } = await start()
    server.registerVerb('echo', async () => ({}))
    expect((await get('/v1/admin/echo', bearer('null'))).status).toBe(404)
  })

  it.each(['', 'open', 'open-sesame2', 'OPEN-SESAME'])('are 401 with the token %j', async (token) => {
    const { get } = await admin()
    const response = await get('/v1/admin/echo', bearer(token))
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
  })

  it('answer a wrong token late and on no connection twice, tell of it, and let the right one in at once meanwhile', async () => {
    const refused: Refusal[] = []
    const sources = { refused: (refusal: Refusal) => void refused.push(refusal) }
    // long enough for all of them to arrive on a busy machine
    const { server, get } = await start(sources, 'open-sesame', { wrongTokenDelay: 3_000 })
    server.registerVerb('echo', async () => ({}))
    const ends: string[] = []
    const ask = async (token: string, name: string) => {
      const response = await get('/v1/admin/echo', bearer(token))
      ends.push(name)
      return response
    }
    const wrong = Array.from({ length: 40 }, (_, i) => ask(`guess ${i}`, 'wrong'))
    await expect.poll(() => refused.length).toBe(40)
    const statuses = Promise.all(wrong).then((all) => all.map(({ status }) => status))
    expect((await ask('open-sesame', 'right')).status).toBe(200)
    // those that wait for their answer are still waiting; the rest was sent away
    expect(ends.filter((name) => name === 'wrong').length).toBeLessThanOrEqual(40 - 16)
    expect((await statuses).filter((status) => status === 401)).toHaveLength(16)
    expect((await statuses).filter((status) => status === 429)).toHaveLength(24)
    expect((await wrong[0]!).headers.get('connection')).toBe('close')
    expect(refused.every(({ reason, address }) => reason === 'token' && address === '127.0.0.1')).toBe(true)
  })

  it('do not tell without the token which verbs there are', async () => {
    const { get } = await admin()
    expect((await get('/v1/admin/echo')).status).toBe(401)
    expect((await get('/v1/admin/nothing')).status).toBe(401)
    expect((await get('/v1/admin/nothing', bearer('open-sesame'))).status).toBe(404)
  })

  it('run with the token, with a JSON body or none', async () => {
    const { get } = await admin()
    expect(await (await get('/v1/admin/echo', bearer('open-sesame', '{"version":3}'))).json()).toEqual({
      body: { version: 3 },
    })
    expect(await (await get('/v1/admin/echo', bearer('open-sesame'))).json()).toEqual({ body: null })
    expect((await get('/v1/admin/echo', { headers: { authorization: 'Bearer open-sesame' } })).status).toBe(405)
  })

  it('say with 202 that the answer is not there yet', async () => {
    const { server, get } = await start({}, 'open-sesame')
    server.registerVerb('long', async () => new Accepted({ report: 'elsewhere' }))
    const response = await get('/v1/admin/long', bearer('open-sesame'))
    expect([response.status, await response.json()]).toEqual([202, { report: 'elsewhere' }])
  })

  it('are not told of a client that goes before its body has come', async () => {
    const seen: unknown[] = []
    const { server, port, get } = await start({ failed: (error) => void seen.push(error) }, 'open-sesame')
    server.registerVerb('echo', async () => ({}))
    const socket = connect(port, '127.0.0.1')
    const head =
      'POST /v1/admin/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer open-sesame\r\nContent-Length: 9\r\n\r\n{'
    await new Promise((resolve) => socket.write(head, resolve))
    socket.resetAndDestroy()
    expect((await get('/v1/admin/echo', bearer('open-sesame'))).status).toBe(200)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(seen).toEqual([])
  })

  it('refuse a body that is not JSON or is too large, and tell a coded error', async () => {
    const { get } = await admin()
    expect((await get('/v1/admin/echo', bearer('open-sesame', '{'))).status).toBe(400)
    expect((await get('/v1/admin/echo', bearer('open-sesame', 'x'.repeat(70_000)))).status).toBe(413)
    const refused = await get('/v1/admin/refuse', bearer('open-sesame'))
    expect(refused.status).toBe(409)
    expect(await refused.json()).toEqual({ error: { code: 'CONFIG_MISSING', message: 'no registry. Set it.' } })
  })
})

describe('the name of the request', () => {
  const ask = async (port: number, path: string, host: string, method = 'GET') => {
    const request = httpRequest({ port, host: '127.0.0.1', path, method, headers: { host } }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    const chunks: Buffer[] = []
    for await (const chunk of response) chunks.push(chunk as Buffer)
    return { status: response.statusCode, text: Buffer.concat(chunks).toString() }
  }

  it.each(['/', '/status', '/routing', '/metrics', '/v1/tap', '/v1/history', '/assets/page.js', '/nothing'])(
    'that is not of the port is refused at %s, counted, and not repeated',
    async (path) => {
      const refused: Refusal[] = []
      const { port } = await start({ refused: (refusal) => void refused.push(refusal) })
      const { status, text } = await ask(port, path, 'rebound.example.net')
      expect(status).toBe(421)
      expect(JSON.parse(text)).toMatchObject({ error: { code: 'HOST_REFUSED' } })
      expect(text).not.toContain('rebound')
      expect(refused).toMatchObject([{ reason: 'host' }])
    },
  )

  it('is looked at before the admin token', async () => {
    const { port } = await start({}, 'open-sesame')
    expect((await ask(port, '/v1/admin/pause', 'rebound.example.net', 'POST')).status).toBe(421)
  })

  it.each(['/livez', '/readyz'])('does not matter to %s', async (path) => {
    const { port } = await start()
    expect((await ask(port, path, 'whatever.example.net')).status).toBe(200)
  })

  it('may be configured', async () => {
    const { port } = await start({}, null, { allowedHosts: ['bcod.example.com'] })
    expect((await ask(port, '/status', 'bcod.example.com')).status).toBe(200)
  })
})

describe('connections', () => {
  const sockets: Socket[] = []
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
  })
  const open = async (port: number, from?: string) => {
    const socket = connect({ port, host: '127.0.0.1', ...(from !== undefined && { localAddress: from }) })
    socket.on('error', () => {}).resume()
    sockets.push(socket)
    await once(socket, 'connect')
    return socket
  }

  it('that only hold places displace each other, and a question is answered all the time', async () => {
    const refused: Refusal[] = []
    const { port, get } = await start({ refused: (refusal) => void refused.push(refusal) }, null, { maxConnections: 8 })
    let ended = 0
    for (let i = 0; i < 100; i++) {
      const socket = await open(port)
      socket.once('close', () => ended++)
      if (i % 10 === 0) expect((await get('/livez')).status).toBe(200)
    }
    await expect.poll(() => ended).toBeGreaterThanOrEqual(92)
    expect(refused.length).toBeGreaterThanOrEqual(92)
    expect(new Set(refused.map(({ reason }) => reason))).toEqual(new Set(['connection']))
  })

  it('that send request after request without waiting for the answers are ended, and cost a few answers', async () => {
    const refused: Refusal[] = []
    let asked = 0
    const status = () => ({ asked: ++asked })
    const { port, get } = await start({ status, refused: (refusal) => void refused.push(refusal) })
    const socket = await open(port)
    socket.write('GET /status HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1_000))
    await once(socket, 'close')
    expect(refused).toEqual([{ reason: 'pipelining', address: '127.0.0.1' }])
    expect(asked).toBeLessThan(10)
    expect((await get('/livez')).status).toBe(200)
  })

  it('that ask for the metrics at the same time get the same ones', async () => {
    let written = 0
    let release = () => {}
    const metrics = () => {
      written += 1
      return new Promise<string>((resolve) => (release = () => resolve(`n ${written}\n`)))
    }
    const { port, get } = await start({ metrics })
    const socket = await open(port)
    let text = ''
    socket.on('data', (chunk) => {
      text += String(chunk)
    })
    socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3))
    await expect.poll(() => written).toBe(1)
    release()
    await expect.poll(() => text.match(/n 1\n/g)).toHaveLength(3)
    const next = get('/metrics')
    await expect.poll(() => written).toBe(2)
    release()
    expect(await (await next).text()).toBe('n 2\n')
  })

  it('of another address stay, and so does one whose answer is on its way', async () => {
    let release = () => {}
    const metrics = () => new Promise<string>((resolve) => (release = () => resolve('late 1\n')))
    const { port, get } = await start({ metrics }, null, { maxConnections: 8 })
    const answer = get('/metrics').then((response) => response.text())
    const other = await open(port, '127.0.0.2')
    let gone = false
    other.once('close', () => {
      gone = true
    })
    for (let i = 0; i < 30; i++) await open(port)
    release()
    expect(await answer).toBe('late 1\n')
    expect(gone).toBe(false)
  })

  it.each([
    ['says nothing', ''],
    ['never ends its headers', 'GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    [
      'never ends its body',
      'POST /v1/admin/echo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer open-sesame\r\nContent-Length: 9\r\n\r\n{',
    ],
  ])('one that %s is ended', async (_what, text) => {
    const { port, server } = await start({}, 'open-sesame', { arrivalLimit: 200 })
    server.registerVerb('echo', async () => ({}))
    const socket = await open(port)
    socket.write(text)
    await once(socket, 'close')
  })
})

describe('listening and closing', () => {
  it('says which port is taken', async () => {
    const { port } = await start()
    const second = new StatusServer({ host: '127.0.0.1', port, adminToken: null }, calm)
    await expect(second.listen()).rejects.toMatchObject({ code: 'SERVER_PORT_IN_USE', place: `127.0.0.1:${port}` })
  })

  it('says when the address is not of this machine', async () => {
    const server = new StatusServer({ host: '192.0.2.1', port: 0, adminToken: null }, calm)
    await expect(server.listen()).rejects.toMatchObject({ code: 'SERVER_BIND_FAILED' })
  })

  it('ends kept-alive connections at once', async () => {
    const { server, port } = await start()
    const socket = connect(port, '127.0.0.1')
    socket.write('GET /livez HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n')
    await once(socket, 'data')
    const before = Date.now()
    await Promise.all([once(socket, 'close'), server.close()])
    expect(Date.now() - before).toBeLessThan(500)
  })

  it('lets a request that runs end', async () => {
    let release = () => {}
    const metrics = () => new Promise<string>((resolve) => (release = () => resolve('late 1\n')))
    const { server, port } = await start({ metrics })
    const options: RequestOptions = { port, host: '127.0.0.1', path: '/metrics', agent: new Agent({ keepAlive: true }) }
    const answer = new Promise<string>((resolve, reject) => {
      httpRequest(options, (response) => response.on('data', (chunk) => resolve(String(chunk))))
        .on('error', reject)
        .end()
    })
    await new Promise((resolve) => setTimeout(resolve, 50))
    const closed = server.close()
    release()
    expect(await answer).toBe('late 1\n')
    await closed
  })
})
