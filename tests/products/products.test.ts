import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { scratchDirectory } from '../support/bcod.js'
import { HOURS, imported, LIFT, python, started } from './product.js'

/** `make import-test`: each product as its registry has it, filled through its own clients, and asked by bcod. */
const wanted = process.env.BCOD_TEST_PRODUCTS === '1'

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
