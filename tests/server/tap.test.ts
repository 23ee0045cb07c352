import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Subject } from 'rxjs'
import { afterEach, expect, it } from 'vitest'
import { StatusServer } from '../../src/server/server.js'

const servers: StatusServer[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start() {
  const line$ = new Subject<object>()
  const server = new StatusServer(
    { host: '127.0.0.1', port: 0, adminToken: null },
    { metrics: async () => '', live: () => [], ready: () => [], status: () => ({}), history: () => ({}), tap$: line$ },
  )
  servers.push(server)
  return { server, line$, port: await server.listen() }
}

/** Lines of JSON as they come, without the chunks' sizes. */
async function watch(port: number) {
  const response = await fetch(`http://127.0.0.1:${port}/v1/tap`)
  return { response, reader: response.body!.pipeThrough(new TextDecoderStream()).getReader() }
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

it('takes eight watchers; a ninth is told to come later, and may once one has gone', async () => {
  const { line$, port } = await start()
  const watchers = await Promise.all(Array.from({ length: 8 }, () => watch(port)))
  const ninth = await fetch(`http://127.0.0.1:${port}/v1/tap`)
  expect(ninth.status).toBe(503)
  expect(await ninth.json()).toMatchObject({ error: { code: 'TOO_MANY_WATCHERS' } })
  for (const { reader } of watchers) await reader.cancel()
  await expect.poll(() => line$.observed).toBe(false)
  expect((await watch(port)).response.status).toBe(200)
})

it('a watcher that does not read misses lines, is told how many, and nobody waits for it', async () => {
  const { line$, port } = await start()
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  socket.write('GET /v1/tap HTTP/1.1\r\nhost: x\r\n\r\n')
  socket.pause()
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
