import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { scratchDirectory } from '../support/bcod.js'
import { flowiseProgram } from './environment.mjs'
import { HOURS, imported, LIFT, launched } from './product.js'

const wanted = process.env.BCOD_TEST_PRODUCTS === '1'

const QUESTIONS = { 'Where is the lift?': 'Behind you.', 'Open today?': 'Until six.', 'And tomorrow?': 'Until five.' }

/** A model server that knows three answers. */
async function modelServer(): Promise<string> {
  const server = createServer(async (request, response) => {
    const { messages } = JSON.parse(await text(request))
    const content = QUESTIONS[messages.at(-1).content as keyof typeof QUESTIONS] ?? 'What?'
    const choice = { index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ id: 'x', object: 'chat.completion', created: 1, model: 'any', choices: [choice] }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`
}

/** A Flowise with an account, and how its pages ask it. */
async function flowise() {
  const [node, program] = flowiseProgram()
  const home = scratchDirectory()
  const secrets = ['JWT_AUTH_TOKEN_SECRET', 'JWT_REFRESH_TOKEN_SECRET', 'EXPRESS_SESSION_SECRET', 'TOKEN_HASH_SECRET']
  const { url } = await launched(
    () => [node, program, 'start'],
    (port) => ({
      ...{ PORT: String(port), HOST: '127.0.0.1', NODE_ENV: 'development', HTTP_SECURITY_CHECK: 'false' },
      OPENAI_API_KEY: 'none',
      ...{ DATABASE_PATH: home, SECRETKEY_PATH: home, LOG_PATH: home, BLOB_STORAGE_PATH: home },
      ...{ DISABLE_FLOWISE_TELEMETRY: 'true', FLOWISE_SECRETKEY_OVERWRITE: 'for this test alone' },
      ...Object.fromEntries(secrets.map((name) => [name, `${name} of this test alone`])),
    }),
  )
  let cookie = ''
  const call = async (method: string, path: string, body: unknown) => {
    const headers = { 'content-type': 'application/json', 'x-request-from': 'internal', cookie }
    const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: JSON.stringify(body) })
    const said = await answer.text()
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${said}`)
    if (path === '/auth/login')
      cookie = answer.headers
        .getSetCookie()
        .map((each) => each.split(';')[0])
        .join('; ')
    return said === '' ? null : JSON.parse(said)
  }
  const account = { email: 'ann@example.com', password: 'for-this-test-1A!' }
  await call('POST', '/account/register', { user: { ...account, name: 'Ann', credential: account.password } })
  await call('POST', '/auth/login', account)
  return call
}

const node = (name: string, category: string, inputs: object) => ({
  id: `${name}_0`,
  type: 'customNode',
  position: { x: 0, y: 0 },
  data: {
    id: `${name}_0`,
    name,
    category,
    type: name,
    label: name,
    baseClasses: [],
    inputs,
    inputParams: [],
    inputAnchors: [],
    outputs: {},
    outputAnchors: [],
  },
})

/** A chat that remembers: a chain of the model and of what was said. */
const chatflow = (basepath: string) => {
  const model = { modelName: 'any', temperature: '0', streaming: false, basepath }
  const held = { model: '{{chatOpenAICustom_0.data.instance}}', memory: '{{bufferMemory_0.data.instance}}' }
  const edge = (source: string) => ({ id: source, source, target: 'conversationChain_0', type: 'buttonedge' })
  return {
    nodes: [
      node('chatOpenAICustom', 'Chat Models', model),
      node('bufferMemory', 'Memory', { sessionId: '', memoryKey: 'chat_history' }),
      node('conversationChain', 'Chains', { ...held, systemMessagePrompt: 'Answer.' }),
    ],
    edges: ['chatOpenAICustom_0', 'bufferMemory_0'].map(edge),
  }
}

describe.runIf(wanted)('a real product', () => {
  test('Flowise, exported: votes of two chats, and a change', { timeout: 400_000 }, async () => {
    const call = await flowise()
    const flow = {
      name: 'Chat',
      type: 'CHATFLOW',
      deployed: true,
      flowData: JSON.stringify(chatflow(await modelServer())),
    }
    const { id: chatflowid } = await call('POST', '/chatflows', flow)
    const ask = async (question: string, chatId: string) => {
      const { text: said, chatMessageId } = await call('POST', `/prediction/${chatflowid}`, { question, chatId })
      expect(said).toBe(QUESTIONS[question as keyof typeof QUESTIONS])
      return chatMessageId as string
    }
    const vote = (messageId: string, chatId: string, rating: string) =>
      call('POST', '/feedback', { chatflowid, chatId, messageId, rating, content: '' })
    const lift = await ask('Where is the lift?', 'one')
    const hours = await ask('Open today?', 'two')
    const tomorrow = await ask('And tomorrow?', 'two')
    const { id: first } = await vote(lift, 'one', 'THUMBS_UP')
    await vote(hours, 'two', 'THUMBS_DOWN')
    await vote(tomorrow, 'two', 'THUMBS_UP')

    const [file, state] = [join(scratchDirectory(), 'export.json'), join(scratchDirectory(), 'state.json')]
    const exported = async () => {
      const all = await call('POST', '/export-import/export', {
        chatflow: true,
        chat_message: true,
        chat_feedback: true,
      })
      writeFileSync(file, JSON.stringify(all, null, 2))
      return imported('flowise', '--file', file, '--state', state, '--complete')
    }
    const { votes, report } = await exported()
    const [liked, disliked] = [LIFT, HOURS].map((known) => [...known.slice(0, 4), null])
    const followed = ['user: Open today?', 'assistant: Until six.', 'user: And tomorrow?']
    expect(votes).toHaveLength(3)
    expect(votes).toEqual(expect.arrayContaining([liked, disliked, [true, null, followed, 'Until five.', null]]))
    expect(report).toMatchObject({ events: 3, users: 2, skipped: 0 })
    expect((await exported()).report).toMatchObject({ events: 0, skipped_by_reason: { unchanged: 3 } })
    await call('PUT', `/feedback/${first}`, { rating: 'THUMBS_DOWN' })
    expect((await exported()).votes).toEqual([[false, ...(liked as unknown[]).slice(1)]])
  })
})
