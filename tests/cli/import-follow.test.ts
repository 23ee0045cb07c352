import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, onTestFinished, test } from 'vitest'
import { KafkaFeedbackLog } from '../../src/streams/kafka/log.js'
import { bcod, scratchDirectory } from '../support/bcod.js'
import { Reading, until } from '../support/kafka-reading.js'
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
  return { state, url: await listening(server) }
}

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** Langfuse with so many scores on its first page; its second, which has one, comes when it is let go. */
async function twoPages(count: number) {
  let letGo = () => {}
  const page = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const all = Array.from({ length: count + 1 }, (_, i) => scoreOn(i))
  const server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://x')
    const isSecond = url.searchParams.has('cursor')
    if (isSecond) await page
    const id = url.pathname.split('/').at(-1)
    const scores = isSecond
      ? { data: all.slice(count), meta: {} }
      : { data: all.slice(0, count), meta: { cursor: 'second' } }
    const trace = { id, userId: 'u7', input: `Hi ${id}`, output: 'Hello!', observations: [] }
    response.end(JSON.stringify(url.pathname.endsWith('/scores') ? scores : trace))
  })
  return { letGo: () => letGo(), url: await listening(server) }
}

const scoreOn = (i: number) => ({ ...score(i % 2 === 0), id: `s${i}`, subject: { kind: 'trace', id: `t${i}` } })

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

test('killed -9 between the topic and its state, it sends the same again, and each vote counts once', async () => {
  const topic = await kafka.client.topic('import-killed')
  const product = await twoPages(600)
  const state = join(scratchDirectory(), 'state.json')
  const log = new KafkaFeedbackLog({ brokers: [kafka.broker.bootstrap], topic, groupId: topic })
  onTestFinished(() => log.close())
  const { records } = new Reading(log)
  const follow = () => {
    const args = [
      ...['import', '--from', 'langfuse', '--url', product.url, '--users', 'none', '--state', state],
      ...['--follow', '--every', '200ms', '--json', '--set', 'import.key=pk:sk'],
      ...['--set', `stream.brokers=${kafka.broker.bootstrap}`, '--set', `stream.topic=${topic}`],
    ]
    const child = spawn(process.execPath, ['dist/cli.js', ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    const turns: number[] = []
    createInterface(child.stdout).on('line', (line) => turns.push((JSON.parse(line) as { events: number }).events))
    const ended = once(child, 'exit')
    return { turns, kill: () => child.kill('SIGKILL') && ended }
  }
  // a request of 500 is sent while the second page is waited for
  const killed = follow()
  await until(() => records.length >= 500)
  await killed.kill()
  expect([killed.turns, existsSync(state), records.length]).toEqual([[], false, 500])
  product.letGo()
  const second = follow()
  await until(() => second.turns.length >= 2)
  expect(second.turns.slice(0, 2)).toEqual([601, 0])
  await second.kill()
  const third = follow()
  await until(() => third.turns.length >= 1)
  expect(third.turns[0]).toBe(0)
  await until(() => records.length >= 1101)
  const values = records.map(({ value }) => Buffer.from(value ?? []).toString())
  const ids = new Set(values.map((value) => (JSON.parse(value) as { id: string }).id))
  // what came twice is the same event, under the id by which a daemon drops it
  expect([values.length, new Set(values).size, ids.size]).toEqual([1101, 601, 601])
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
