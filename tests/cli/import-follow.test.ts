import { spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { bcod, scratchDirectory } from '../support/bcod.js'
import { until } from '../support/kafka-reading.js'
import { TestBroker } from '../support/test-broker.js'

const kafka = new TestBroker('import-follow')

/** Langfuse with the scores that are given; while `broken`, it answers 503. */
async function langfuse() {
  const state = { scores: [] as object[], broken: false, since: [] as string[] }
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    if (request.headers.authorization !== `Basic ${Buffer.from('pk:sk').toString('base64')}`) response.statusCode = 401
    else if (state.broken) response.statusCode = 503
    const scores = url.pathname === '/api/public/v3/scores'
    if (scores) state.since.push(url.searchParams.get('fromTimestamp') ?? '')
    const trace = { id: 't1', userId: 'u7', input: 'Hi', output: 'Hello!', observations: [] }
    response.end(JSON.stringify(scores ? { data: state.scores, meta: {} } : trace))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { state, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` }
}

const score = (value: boolean) => ({
  ...{ id: 's1', name: 'user-feedback', value, dataType: 'BOOLEAN', source: 'API' },
  ...{ updatedAt: new Date().toISOString(), subject: { kind: 'trace', id: 't1' } },
})

test('follows a product: takes what is new, outlives its outages, remembers where it was, and ends when asked to', async () => {
  const topic = await kafka.client.topic('import-follow')
  const product = await langfuse()
  const directory = scratchDirectory()
  const [state, key] = [join(directory, 'state.json'), join(directory, 'key')]
  writeFileSync(key, 'pk:sk\n')
  const args = [
    ...['import', '--from', 'langfuse', '--url', product.url, '--key-file', key, '--users', 'none'],
    ...['--state', state, '--follow', '--every', '200ms', '--json'],
    ...['--set', `stream.brokers=${kafka.broker.bootstrap}`, '--set', `stream.topic=${topic}`],
  ]
  const child = spawn(process.execPath, ['dist/cli.js', ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [out, said] = [[] as string[], [] as string[]]
  child.stdout.on('data', (chunk) => out.push(...String(chunk).trim().split('\n')))
  child.stderr.on('data', (chunk) => said.push(String(chunk)))
  const events = () => out.reduce((sum, line) => sum + (JSON.parse(line) as { events: number }).events, 0)
  await until(() => out.length >= 1)
  product.state.scores = [score(true)]
  await until(() => events() === 1)
  product.state.broken = true
  await until(() =>
    said.join('').includes('IMPORT_SOURCE_UNREACHABLE /api/public/v3/scores: it answered with status 503'),
  )
  product.state.scores = [score(false)]
  product.state.broken = false
  await until(() => events() === 2)
  const turns = out.length
  await until(() => out.length >= turns + 2)
  expect(events(), 'a vote that is seen again counts once').toBe(2)
  const ended = new Promise((resolve) => child.on('exit', resolve))
  child.kill('SIGTERM')
  expect(await ended, said.join('')).toBe(0)
  const { since } = JSON.parse(readFileSync(state, 'utf8')) as { since: number }
  const back = Date.now() - since
  expect(back).toBeGreaterThanOrEqual(15 * 60_000)
  expect(back).toBeLessThan(17 * 60_000)
  expect(product.state.since[0]).toBe('')
  expect(Date.parse(product.state.since.at(-1)!)).toBeLessThanOrEqual(since)
})

test.each([
  [['--file', 'x', '--follow', '--state', 's'], 'USAGE --follow: expected --url'],
  [['--url', 'http://127.0.0.1:1', '--follow'], 'USAGE --follow: expected --state'],
  [['--url', 'http://127.0.0.1:1', '--follow', '--state', 's', '--out', 'o'], 'USAGE --follow: expected the topic'],
  [['--out', 'o'], 'USAGE import: expected one of --file and --url'],
  [['--url', 'http://u:p@127.0.0.1:1', '--out', 'o'], 'USAGE --url: expected a URL without a user name'],
  [['--url', 'ftp://x', '--out', 'o'], 'USAGE --url: expected a URL such as'],
  [['--url', 'http://127.0.0.1:1', '--state', 's', '--complete', '--out', 'o'], 'USAGE --complete: langfuse gives'],
  [['--file', 'x', '--key-file', 'k', '--out', 'o'], 'USAGE --key-file: expected --url'],
])('refuses %j', async (flags, message) => {
  const { code, stderr } = await bcod('import', '--from', 'langfuse', ...flags)
  expect(stderr).toContain(message)
  expect(code).toBe(2)
})
