import { Agent, type IncomingMessage, request as openHttp } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { readTopic } from '../daemon/feedback.js'
import { GatewayProcess } from '../support/gateway-process.js'
import { until } from '../support/kafka-reading.js'
import { TestBroker } from '../support/test-broker.js'
import { CHAT, type Handler, json, StandInUpstream } from '../support/upstream.js'

const kafka = new TestBroker('gateway-rolling')
const TOPIC = 'rolling'
const USERS = 8
const WORDS = 20
const WORD_MS = 50
/** Of one answer in five: it is still under way when the old replica takes no connection any more. */
const LONG_WORD_MS = 400
/** How often the Service asks who is ready. */
const NOTICE_MS = 1000
const STOP_DELAY = '5s'

/** Says the question, and then word after word. */
const speak: Handler = async ({ body }, response) => {
  const { messages, user, stream } = JSON.parse(body.toString() || '{}')
  if (stream !== true) return json(response, CHAT)
  const question = messages.at(-1).content as string
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const say = (delta: object, finish_reason: string | null = null) =>
    response.write(
      `data: ${JSON.stringify({ id: user, model: 'm', choices: [{ index: 0, delta, finish_reason }] })}\n\n`,
    )
  say({ role: 'assistant', content: question })
  for (let i = 0; i < WORDS; i++) {
    await sleep(question.endsWith('0') || question.endsWith('5') ? LONG_WORD_MS : WORD_MS)
    say({ content: ` ${i}` })
  }
  say({}, 'stop')
  response.end('data: [DONE]\n\n')
}

let upstream: StandInUpstream
beforeAll(async () => {
  upstream = await StandInUpstream.start(speak)
})
afterAll(() => upstream.close())

async function replica(): Promise<GatewayProcess> {
  const process = await GatewayProcess.start(kafka.directory, {
    ...{ upstreams: [upstream.url], bootstrap: kafka.broker.bootstrap, topic: TOPIC },
    gateway: { stopDelay: STOP_DELAY, votesPerMinute: 100_000 },
  })
  onTestFinished(() => process.kill())
  return process
}

/** As a Service of Kubernetes: a new connection goes to one of the replicas that were ready when somebody last asked. */
class Service {
  private ready: readonly GatewayProcess[] = []
  private next = 0
  private isOpen = true

  constructor(readonly replicas: GatewayProcess[]) {
    void this.follow()
  }

  connection = () => {
    const { port } = this.ready[this.next++ % this.ready.length]!
    return connect(port, '127.0.0.1')
  }

  leadsTo(replica: GatewayProcess): boolean {
    return this.ready.includes(replica)
  }

  close(): void {
    this.isOpen = false
  }

  private async follow(): Promise<void> {
    for (; this.isOpen; await sleep(NOTICE_MS)) {
      const isReady = (each: GatewayProcess) =>
        each.look('/readyz').then(
          ({ ok }) => ok,
          () => false,
        )
      const said = await Promise.all(this.replicas.map(isReady))
      this.ready = this.replicas.filter((_, i) => said[i])
    }
  }
}

/** Asks for streams and votes on each, one after the other. */
class User {
  readonly answers = new Map<string, string>()
  readonly problems: string[] = []
  readonly voted: string[] = []
  /** Between the first byte of a stream and its last one. */
  isReading = false
  private readonly agent: Agent
  private isAsked = true
  readonly ended: Promise<void>

  /** @param keepAlive  one connection for as long as the server lets it, or one for each request */
  constructor(
    private readonly name: string,
    service: Service,
    keepAlive: boolean,
  ) {
    this.agent = new Agent({ keepAlive, maxSockets: 1 })
    this.agent.createConnection = service.connection
    this.ended = this.live()
  }

  stop(): void {
    this.isAsked = false
  }

  private async live(): Promise<void> {
    for (let i = 1; this.isAsked; i++)
      await this.askAndVote(`${this.name}-${i}`).catch((error) => this.problems.push(`${this.name}-${i}: ${error}`))
    this.agent.destroy()
  }

  private async askAndVote(question: string): Promise<void> {
    const asked = await this.post('/v1/chat/completions', {
      ...{ model: 'm', stream: true, user: this.name, messages: [{ role: 'user', content: question }] },
    })
    const token = asked.headers['x-bcod-vote']
    let text = ''
    this.isReading = true
    for await (const piece of asked) text += piece
    this.isReading = false
    const events = text.split('\n\n').map((event) => event.replace('data: ', ''))
    if (events.at(-2) !== '[DONE]') throw new Error(`an answer without an end: ${text.slice(-200)}`)
    const parts = events.slice(0, -2).map((event) => JSON.parse(event))
    const [{ id }] = parts
    this.answers.set(id, parts.map(({ choices }) => choices[0].delta.content ?? '').join(''))
    const vote = await this.post('/v1/feedback', { completion: id, label: true, token })
    vote.resume()
    if (vote.statusCode !== 202) throw new Error(`the vote got ${vote.statusCode}`)
    this.voted.push(id)
  }

  private post(path: string, body: object): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers = { 'content-type': 'application/json' }
      const request = openHttp({ host: 'gateway', path, method: 'POST', agent: this.agent, headers }, resolve)
      request.on('error', reject).end(JSON.stringify(body))
    })
  }
}

async function subjects(topic: string): Promise<readonly string[]> {
  const records = await readTopic(kafka.client, topic, { brokers: [kafka.broker.bootstrap] })
  return records.map(({ value }) => JSON.parse(Buffer.from(value!).toString()).subject as string).sort()
}

it('both replicas are replaced under streams and votes: no answer, record or vote is lost, and none is there twice', async () => {
  for (const topic of [TOPIC, `${TOPIC}.completions`]) await kafka.client.topic(topic, 2)
  const service = new Service(await Promise.all([replica(), replica()]))
  onTestFinished(() => service.close())
  const old = [...service.replicas]
  await until(() => old.every((each) => service.leadsTo(each)))
  const users = Array.from({ length: USERS }, (_, i) => new User(`user-${i}`, service, i % 2 === 0))

  for (const each of old) {
    const fresh = await replica()
    service.replicas.push(fresh)
    await until(() => service.leadsTo(fresh) && users.filter(({ isReading }) => isReading).length > USERS / 2)
    expect(await each.stop()).toBe(0)
  }
  for (const user of users) user.stop()
  await Promise.all(users.map(({ ended }) => ended))

  expect(users.flatMap(({ problems }) => problems)).toEqual([])
  const answers = users.flatMap(({ answers }) => [...answers])
  const words = Array.from({ length: WORDS }, (_, i) => ` ${i}`).join('')
  for (const [, text] of answers) expect(text).toMatch(new RegExp(`^user-\\d+-\\d+${words}$`))
  const ids = answers.map(([id]) => id).sort()
  expect(await subjects(TOPIC)).toEqual(ids)
  expect((await subjects(`${TOPIC}.completions`)).filter((id) => ids.includes(id))).toEqual(ids)
})
