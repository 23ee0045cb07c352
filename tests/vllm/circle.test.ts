import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { startBcod, untilReady } from '../../scripts/demo-serving/bcod.mjs'
import { HELD_OUT, likes, questionOf, requestOf } from '../../scripts/demo-serving/visitors.mjs'
import { SLOTS } from '../../scripts/vllm/server.mjs'
import { readConfigFile } from '../../src/config/file.js'
import { fromTree } from '../../src/config/sources.js'
import type { GuardedProcess } from '../../src/demo/kafka/guarded-process.js'
import { ANSWER_TOKENS } from '../../src/demo/settings.js'
import { eventually, readTopic, trainedIds } from '../daemon/feedback.js'
import { DaemonProcess, freePort } from '../support/daemon.js'
import { TestBroker } from '../support/test-broker.js'
import { type Application, nodeApplication, pythonApplication, type Request, type Said } from './circle-clients.js'
import type { RealVllm } from './real-vllm.js'
import { LIMIT, startServers } from './served-daemon.js'

const kafka = new TestBroker('circle')
const TOPIC = 'circle'
const API_KEY = 'the-key-of-an-application'
/** Of as many users, in rounds of those who ask at once. */
const VOTES = 384
const AT_ONCE = 16

/** The settings of an example, by key. */
const settingsOf = (file: string) =>
  Object.fromEntries(fromTree(readConfigFile(file).tree, () => file).map(({ key, value }) => [key, value]))

async function startDaemon(server: RealVllm): Promise<DaemonProcess> {
  const directory = join(kafka.directory, 'daemon')
  const { 'server.port': _, ...example } = settingsOf('examples/chat/bcod.yaml')
  const daemon = await DaemonProcess.create(directory, {
    ...example,
    ...{ 'checkpoint.dir': join(directory, 'checkpoints'), 'adapters.dir': join(directory, 'adapters') },
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': TOPIC, 'stream.groupId': TOPIC },
    ...{ 'publish.targets': [{ kind: 'vllm', urls: [server.url] }] },
  })
  onTestFinished(() => daemon.kill())
  daemon.start()
  await daemon.until(({ state }) => state === 'running', LIMIT)
  return daemon
}

/** `bcod gateway` as a process of its own. */
async function startGateway(
  server: RealVllm,
  daemon: DaemonProcess,
): Promise<{ process: GuardedProcess; baseUrl: string }> {
  const [port, statusPort] = [await freePort(), await freePort()]
  const keys = join(kafka.directory, 'keys')
  writeFileSync(keys, `${API_KEY}\n`)
  const settings = {
    ...{ 'gateway.port': port, 'server.port': statusPort, 'gateway.apiKeysFile': keys },
    ...{ 'gateway.upstreams': [server.url], 'gateway.routing': `http://127.0.0.1:${daemon.port}/routing` },
    ...{ 'stream.brokers': [kafka.broker.bootstrap], 'stream.topic': TOPIC },
  }
  const process = startBcod('gateway', settings, join(kafka.directory, 'gateway.log'))
  onTestFinished(() => process.end('SIGKILL'))
  await untilReady(process, statusPort)
  return { process, baseUrl: `http://127.0.0.1:${port}/v1` }
}

const requested = (content: string, user: string, stream: boolean): Request => ({
  ...requestOf(content, user),
  stream,
})

/** Greedy answers, every other one streamed. */
async function answersOf(application: Application, prompts: readonly string[]): Promise<readonly Said[]> {
  const answers: Said[] = []
  for (const [i, text] of prompts.entries())
    answers.push(await application.ask(requested(text, `${application.name}-${i}`, i % 2 === 1)))
  return answers
}

/** Against the blanks that a grammar of JSON allows anywhere: tab, line feed, carriage return and space. */
const NO_BLANKS = { 200: -100, 201: -100, 204: -100, 223: -100 }
const TOPICS = ['parcel', 'refund']
const TOOL = {
  type: 'function' as const,
  function: {
    name: 'look_up',
    // vLLM holds the model to the parameters only then
    strict: true,
    parameters: {
      ...{ type: 'object', required: ['topic'], additionalProperties: false },
      properties: { topic: { type: 'string', enum: TOPICS } },
    },
  },
}

async function checkToolsAndErrors(application: Application): Promise<void> {
  for (const stream of [false, true]) {
    const asked = requested('Where is my parcel?', application.name, stream)
    const named = { type: 'function' as const, function: { name: 'look_up' } }
    const said = await application.ask({
      ...asked,
      max_tokens: 100,
      logit_bias: NO_BLANKS,
      tools: [TOOL],
      tool_choice: named,
    })
    expect(TOPICS).toContain(JSON.parse(said.call).topic)
    expect(await application.refusal({ ...asked, model: 'nobody' })).toEqual({ error: 'NotFoundError', status: 404 })
  }
}

const texts = (answers: readonly Said[]) => answers.map(({ text }) => text)
const liked = (answers: readonly Said[]) => texts(answers).filter(likes).length

test.skipIf(!process.env.BCOD_TEST_VLLM)(
  "OpenAI's clients ask a real vLLM through the gateway and vote, and get answers that they like",
  async () => {
    const started = performance.now()
    const seconds = () => `${((performance.now() - started) / 1000).toFixed(0)} s`
    for (const topic of [TOPIC, `${TOPIC}.completions`]) await kafka.client.topic(topic)
    const tools = ['--enable-auto-tool-choice', '--tool-call-parser', 'hermes']
    const [server] = (await startServers(1, SLOTS, tools)) as [RealVllm]
    const daemon = await startDaemon(server)
    const gateway = await startGateway(server, daemon)
    const node = nodeApplication(gateway.baseUrl)
    const python = pythonApplication(gateway.baseUrl, API_KEY)
    // a token is the promise that the log is there
    await eventually(async () => (await node.ask(requested('Hello', 'first', false))).token !== null, LIMIT)
    console.log(`${seconds()}: vLLM, the daemon and the gateway answer`)

    const prompts = HELD_OUT
    const few = prompts.slice(0, 4)
    const before = await answersOf(node, prompts)
    const pythonBefore = await answersOf(python, few)
    expect(texts(pythonBefore)).toEqual(texts(before.slice(0, few.length)))
    expect(new Set([...before, ...pythonBefore].map(({ adapter, model }) => `${adapter} ${model}`))).toEqual(
      new Set(['base demo']),
    )
    for (const application of [node, python]) await checkToolsAndErrors(application)

    const events = new Set<string>()
    const opinion = async (application: Application, { id, token, text }: Said) => {
      const event = await application.vote({ completion: id, token, label: likes(text) })
      events.add(event)
    }
    for (const i of few.keys()) {
      await opinion(node, before[i]!)
      await opinion(python, pythonBefore[i]!)
    }
    // the votes have the very tokens: those that the server itself tells
    const records = await readTopic(kafka.client, TOPIC, { brokers: [kafka.broker.bootstrap] })
    const votes = records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()))
    for (const [i, text] of few.entries()) {
      const { promptTokens, tokens } = await server.answer('demo', text, ANSWER_TOKENS)
      for (const { id } of [before[i]!, pythonBefore[i]!])
        expect(votes.find(({ subject }) => subject === id).data).toMatchObject({
          ...{ prompt_tokens: promptTokens, completion_tokens: tokens },
          label: likes(before[i]!.text),
        })
    }

    let up = 0
    for (let sent = events.size; sent < VOTES; sent += AT_ONCE)
      await Promise.all(
        Array.from({ length: Math.min(AT_ONCE, VOTES - sent) }, async (_, i) => {
          const n = sent + i
          const said = await node.ask({ ...requestOf(questionOf(n), `user-${n}`, n), stream: n % 2 === 1 })
          if (likes(said.text)) up++
          await opinion(node, said)
        }),
      )
    expect(events.size).toBe(VOTES)
    console.log(`${seconds()}: ${VOTES} votes, ${up} of them up`)

    const version = `v${String(VOTES / 4).padStart(8, '0')}`
    await daemon.until(({ adapter }) => adapter === version, LIMIT)
    // each vote trained once
    const trained = trainedIds(daemon.journal())
    expect(trained.length).toBe(VOTES)
    expect(new Set(trained).size).toBe(VOTES)
    const report = JSON.parse(readFileSync(join(daemon.adapters, version, 'gate.json'), 'utf8'))
    expect(report.outcome).toBe('passed')
    console.log(`${seconds()}: ${version} is live, after a gate of ${report.seconds.toFixed(1)} s`)

    const isLive = async () => (await node.ask(requested('Hello', 'last', false))).adapter === version
    await eventually(isLive, LIMIT)
    const after = await answersOf(node, prompts)
    const pythonAfter = await answersOf(python, few)
    expect(texts(pythonAfter)).toEqual(texts(after.slice(0, few.length)))
    expect(new Set([...after, ...pythonAfter].map(({ adapter, model }) => `${adapter} ${model}`))).toEqual(
      new Set([`${version} demo`]),
    )
    for (const application of [node, python]) await checkToolsAndErrors(application)
    // it is this version that has answered
    for (const [i, text] of few.entries())
      expect((await server.answer(`bcod-${version}`, text, ANSWER_TOKENS)).text).toBe(after[i]!.text)
    const changed = texts(after).filter((text, i) => text !== before[i]!.text).length
    const [likedBefore, likedAfter] = [liked(before), liked(after)]
    console.log(
      `${seconds()}: of ${prompts.length} greedy answers ${changed} have changed; liked ${likedBefore} -> ${likedAfter}`,
    )
    expect(changed).toBeGreaterThan(prompts.length / 2)
    expect(likedAfter).toBeGreaterThan(likedBefore)

    await gateway.process.end('SIGTERM')
    expect(gateway.process.ended()?.code).toBe(0)
  },
  1_200_000,
)
