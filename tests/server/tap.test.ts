import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Subject } from 'rxjs'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Refusal } from '../../src/server/refusals.js'
import { StatusServer } from '../../src/server/server.js'

const servers: StatusServer[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(refused: (refusal: Refusal) => void = () => {}) {
  const line$ = new Subject<object>()
  const server = new StatusServer(
    { host: '127.0.0.1', port: 0, adminToken: null },
    {
      metrics: async () => '',
      live: () => [],
      ready: () => [],
      status: () => ({}),
      history: () => ({}),
      tap$: line$,
      refused,
    },
  )
  servers.push(server)
  return { server, line$, port: await server.listen() }
}

/** Lines of JSON as they come, without the chunks' sizes. */
async function watch(port: number) {
  const response = await fetch(`http://127.0.0.1:${port}/v1/tap`)
  return { response, reader: response.body!.pipeThrough(new TextDecoderStream()).getReader() }
}

/** Asks for the stream and never reads. */
function silentWatcher(port: number): Socket {
  const socket = connect(port, '127.0.0.1').on('error', () => {})
  sockets.push(socket)
  socket.write('GET /v1/tap HTTP/1.1\r\nhost: x\r\n\r\n')
  return socket.pause()
}

async function textOf(reader: ReadableStreamDefaultReader<string>): Promise<string> {
  let text = ''
  for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) text += chunk.value
  return text
}

it('sends each line as it happens, until the client goes', async () => {
  const { line$, port } = await start()
  const { response, reader } = await watch(port)
  expect(response.headers.get('content-type')).toBe('application/x-ndjson')
  line$.next({ kind: 'step', step: 1 })
  expect((await reader.read()).value).toBe('{"kind":"step","step":1}\n')
  line$.next({ kind: 'step', step: 2 })
  expect((await reader.read()).value).toBe('{"kind":"step","step":2}\n')
  await reader.cancel()
  await expect.poll(() => line$.observed).toBe(false)
})

it('ends with the server', async () => {
  const { server, port } = await start()
  const { reader } = await watch(port)
  await server.close()
  expect((await reader.read()).done).toBe(true)
})

it('takes eight watchers; a ninth displaces the oldest, which is told so', async () => {
  const refused: unknown[] = []
  const { line$, port } = await start((refusal) => refused.push(refusal))
  const [first, ...others] = await Promise.all(Array.from({ length: 8 }, () => watch(port)))
  await expect.poll(() => line$.observed).toBe(true)
  const ninth = await watch(port)
  expect(await textOf(first!.reader)).toContain('{"kind":"ended","reason":"displaced"}\n')
  expect(refused).toEqual([{ reason: 'watcher', address: '127.0.0.1' }])
  line$.next({ kind: 'step', step: 1 })
  for (const { reader } of [...others, ninth]) expect((await reader.read()).value).toBe('{"kind":"step","step":1}\n')
})

it('a crowd that only holds places keeps neither a watcher nor the page nor a probe out', async () => {
  const { line$, port } = await start()
  for (let i = 0; i < 20; i++) silentWatcher(port)
  await expect.poll(() => line$.observed).toBe(true)
  const { reader } = await watch(port)
  line$.next({ kind: 'step', step: 1 })
  expect((await reader.read()).value).toBe('{"kind":"step","step":1}\n')
  for (const path of ['/', '/livez', '/metrics'])
    expect((await fetch(`http://127.0.0.1:${port}${path}`)).status, path).toBe(200)
})

describe('with a clock of its own', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] })
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('a watcher hears every quarter of a minute that the stream lives', async () => {
    const { port, line$ } = await start()
    const { reader } = await watch(port)
    await expect.poll(() => line$.observed).toBe(true)
    vi.advanceTimersByTime(15_000)
    expect((await reader.read()).value).toBe('{"kind":"alive"}\n')
  })

  it('a watcher that takes nothing of what waits for it is cut off', async () => {
    const { port, line$ } = await start()
    silentWatcher(port)
    await expect.poll(() => line$.observed).toBe(true)
    for (let i = 0; i < 200; i++) line$.next({ i, text: 'x'.repeat(100_000) })
    vi.advanceTimersByTime(15_000)
    expect(line$.observed).toBe(true)
    vi.advanceTimersByTime(30_000)
    await expect.poll(() => line$.observed).toBe(false)
  })
})

it('a watcher that does not read misses lines, is told how many, and nobody waits for it', async () => {
  const { line$, port } = await start()
  const socket = silentWatcher(port)
  await expect.poll(() => line$.observed).toBe(true)
  const before = process.memoryUsage().rss
  const LINES = 400
  const text = 'x'.repeat(100_000)
  for (let i = 0; i < LINES; i++) line$.next({ i, text })
  expect(process.memoryUsage().rss - before).toBeLessThan(30e6)
  let received = ''
  socket.on('data', (chunk) => {
    received += chunk.toString()
  })
  socket.resume()
  await expect.poll(() => received.match(/"i":\d+/g)?.length ?? 0, { timeout: 5_000 }).toBeGreaterThan(5)
  await new Promise((resolve) => setTimeout(resolve, 300))
  line$.next({ kind: 'last' })
  await expect.poll(() => received.includes('"last"'), { timeout: 5_000 }).toBe(true)
  const seen = received.match(/"i":\d+/g)!.length
  expect(received).toContain(`{"kind":"skipped","lines":${LINES - seen}}`)
  socket.end()
  await once(socket, 'close')
})
