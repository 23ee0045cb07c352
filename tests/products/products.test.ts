import { execFileSync, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { encodeFeedback } from '../../src/events/encode.js'
import { readJsonl } from '../../src/events/jsonl.js'
import { plain } from '../import/reading.js'
import { bcod, documentOf, scratchDirectory } from '../support/bcod.js'
import { productEnvironment } from './environment.mjs'

/** `make import-test`: each product as its registry has it, filled through its own clients, and asked by bcod. */
const wanted = process.env.BCOD_TEST_PRODUCTS === '1'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Starts a product's server in a directory of its own, and waits until it answers. */
async function started(product: string, command: (port: number) => readonly string[], env: (port: number) => object) {
  const [port, directory] = [await freePort(), scratchDirectory()]
  const [program = '', ...args] = command(port)
  const log = openSync(join(directory, 'log'), 'w')
  const options = { cwd: directory, env: { ...process.env, ...env(port) }, stdio: ['ignore', log, log] as const }
  const child = spawn(join(productEnvironment(product), program), args, {
    ...options,
    stdio: [...options.stdio],
    detached: true,
  })
  closeSync(log)
  onTestFinished(() => void process.kill(-(child.pid as number), 'SIGKILL'))
  const url = `http://127.0.0.1:${port}`
  for (const end = Date.now() + 170_000; ; await sleep(500)) {
    const answer = await fetch(`${url}/`).catch(() => null)
    if (answer !== null && answer.status < 500) return { url, directory }
    if (child.exitCode !== null || Date.now() > end)
      throw new Error(`${product} does not answer:\n${readFileSync(join(directory, 'log'), 'utf8').slice(-3000)}`)
  }
}

const python = (product: string, script: string, ...args: readonly string[]) =>
  execFileSync(join(productEnvironment(product), 'python'), [join(import.meta.dirname, script), ...args], {
    stdio: 'pipe',
  })

/** What bcod makes of a product or of a file of it: the report, and the votes without their users' hashes. */
async function imported(format: string, ...from: readonly string[]) {
  const out = join(scratchDirectory(), 'events.jsonl')
  const salt = ['--set', 'gateway.userSalt=a salt for this test alone']
  const ended = await bcod('import', '--from', format, ...from, ...salt, '--out', out, '--json')
  expect(ended.code, ended.stderr).toBe(0)
  const votes: unknown[] = []
  for await (const vote of readJsonl(out)) {
    expect(vote.user).toMatch(/^[0-9a-f]{32}$/)
    expect(encodeFeedback(vote).byteLength).toBeGreaterThan(0)
    const { label, prompt, completion, adapter } = vote
    votes.push([...plain({ ...vote, label, prompt, completion, user: null }), adapter])
  }
  return { votes, report: documentOf(ended) }
}

const LIFT = [true, null, ['user: Where is the lift?'], 'Behind you.', 'v00000012']
const HOURS = [false, null, ['user: Open today?'], 'Until six.', 'v00000012']

describe.runIf(wanted)('a real product', () => {
  test('MLflow, asked and from a file', { timeout: 400_000 }, async () => {
    const { url, directory } = await started(
      'mlflow',
      (port) => ['mlflow', 'server', '--port', String(port), '--workers', '1'],
      () => ({ MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' }),
    )
    const file = join(directory, 'traces.jsonl')
    python('mlflow', 'mlflow_votes.py', url, file)
    for (const from of [
      ['--url', url, '--project', 'chat'],
      ['--url', url, '--since', '2026-01-01'],
      ['--file', file],
    ]) {
      const { votes, report } = await imported('mlflow', ...from)
      expect(votes).toEqual(expect.arrayContaining([LIFT, HOURS]))
      expect(report).toMatchObject({ events: 2, users: 2, skipped_by_reason: { not_human: 1, superseded: 1 } })
    }
  })

  test('Phoenix, asked', { timeout: 400_000 }, async () => {
    const { url } = await started(
      'phoenix',
      () => ['phoenix', 'serve'],
      (port) => ({
        ...{ PHOENIX_PORT: String(port), PHOENIX_GRPC_PORT: String(port + 1), PHOENIX_HOST: '127.0.0.1' },
        ...{ PHOENIX_WORKING_DIR: scratchDirectory(), PHOENIX_TELEMETRY_ENABLED: 'false' },
      }),
    )
    python('phoenix', 'phoenix_votes.py', url)
    const { votes, report } = await imported('phoenix', '--url', url)
    expect(votes).toEqual(expect.arrayContaining([LIFT, HOURS]))
    expect(report).toMatchObject({ events: 2, users: 2, skipped: 0 })
  })

  test('Open WebUI, asked: a vote, its change, and its removal', { timeout: 600_000 }, async () => {
    const { url } = await started(
      'open-webui',
      (port) => ['open-webui', 'serve', '--host', '127.0.0.1', '--port', String(port)],
      () => ({
        ...{ USE_SLIM_DOCKER: 'true', DATA_DIR: scratchDirectory(), WEBUI_SECRET_KEY: 'for this test alone' },
        ...{ OFFLINE_MODE: 'true', ENABLE_OLLAMA_API: 'false', ENABLE_OPENAI_API: 'false', DO_NOT_TRACK: 'true' },
      }),
    )
    let token = ''
    const call = async (method: string, path: string, body?: unknown) => {
      const headers = { 'content-type': 'application/json', ...(token && { authorization: `Bearer ${token}` }) }
      const answer = await fetch(`${url}/api/v1${path}`, {
        method,
        headers,
        ...(body ? { body: JSON.stringify(body) } : {}),
      })
      const text = await answer.text()
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`)
      return JSON.parse(text)
    }
    const account = { name: 'Ann', email: 'ann@example.com', password: 'for-this-test-1A!' }
    ;({ token } = await call('POST', '/auths/signup', account))
    const asked = { id: 'm1', parentId: null, childrenIds: ['m2'], role: 'user', content: 'Where is the lift?' }
    const answer = { id: 'm2', parentId: 'm1', childrenIds: [], role: 'assistant', content: 'Behind you.', done: true }
    const history = { currentId: 'm2', messages: { m1: asked, m2: { ...answer, model: 'bcod-v00000012' } } }
    const { id } = await call('POST', '/chats/new', { chat: { title: 'Lift', models: ['bcod-v00000012'], history } })
    const chat = await call('GET', `/chats/${id}`)
    const form = (rating: number) => ({
      ...{ type: 'rating', data: { rating, model_id: 'bcod-v00000012' }, snapshot: { chat } },
      meta: { arena: false, model_id: 'bcod-v00000012', message_id: 'm2', message_index: 2, chat_id: id },
    })
    const feedback = await call('POST', '/evaluations/feedback', form(1))
    const key = join(scratchDirectory(), 'key')
    writeFileSync(key, token)
    const from = ['--url', url, '--key-file', key, '--state', join(scratchDirectory(), 'state.json'), '--complete']
    expect((await imported('open-webui', ...from)).votes).toEqual([LIFT])
    expect((await imported('open-webui', ...from)).votes).toEqual([])
    await sleep(1100)
    await call('POST', `/evaluations/feedback/${feedback.id}`, form(-1))
    expect((await imported('open-webui', ...from)).votes).toEqual([[false, ...LIFT.slice(1)]])
    await call('DELETE', `/evaluations/feedback/${feedback.id}`)
    expect((await imported('open-webui', ...from)).report).toMatchObject({ events: 1, retracted: 1 })
  })
})
