import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { newCompletionId } from '../../../src/gateway/completion.js'
import { API_KEY, GatewayProcess } from '../../support/gateway-process.js'
import { type Broker, startBroker } from '../../support/kafka-broker.js'
import { OtherClient } from '../../support/kafka-reading.js'
import { CHAT, type Handler, json, StandInUpstream } from '../../support/upstream.js'
import type { Target } from './hour.js'

const TOPIC = 'by-id'
const USERS = 8
/** Between two questions of a user, on average. */
const PAUSE_MS = 400
const KEY = { authorization: `Bearer ${API_KEY}` }

/** The same numbers in [0, 1) each time. */
function randomOf(seed: string): () => number {
  let drawn = 0
  return () => createHash('sha256').update(`${seed} ${drawn++}`).digest().readUInt32BE() / 2 ** 32
}

/** Two replicas of a gateway, with a broker and two model servers of their own, and users who ask and vote. */
export class Gateways {
  private isOpen = true
  private readonly users: Promise<void>[]

  private constructor(
    private readonly broker: Broker,
    private readonly servers: readonly StandInUpstream[],
    private readonly replicas: readonly GatewayProcess[],
  ) {
    this.users = Array.from({ length: USERS }, (_, i) => this.live(`user-${i}`))
  }

  static async start(directory: string): Promise<Gateways> {
    const broker = await startBroker({ dir: join(directory, 'broker') })
    const client = await OtherClient.connect(broker.bootstrap)
    for (const topic of [TOPIC, `${TOPIC}.completions`]) await client.topic(topic, 4)
    await client.close()
    const servers = await Promise.all([speaker('one'), speaker('two')])
    const upstreams = servers.map(({ url }) => url)
    const settings = {
      ...{ upstreams, bootstrap: broker.bootstrap, topic: TOPIC },
      gateway: { routing: `${upstreams[0]}/routing` },
    }
    const replicas = await Promise.all([1, 2].map(() => GatewayProcess.start(directory, settings)))
    return new Gateways(broker, servers, replicas)
  }

  /** As a Prometheus that looks for pods finds them. */
  get targets(): readonly Target[] {
    return this.replicas.map((replica, i) => ({
      ...{ job: 'bcod-gateway', instance: `10.1.0.${21 + i}:9464` },
      text: async () => (await replica.look('/metrics')).text(),
    }))
  }

  /** Kafka is away for as long. */
  async withoutKafka(milliseconds: number): Promise<void> {
    const { dir, port } = this.broker
    await this.broker.kill()
    await sleep(milliseconds)
    this.again = await startBroker({ dir, port })
  }

  /** One server fails half of its requests, and then is gone for as long. */
  async withoutServer(milliseconds: number): Promise<void> {
    const [, second] = this.servers as [StandInUpstream, StandInUpstream]
    const { handle } = second
    let requests = 0
    second.handle = (request, response) =>
      request.url !== '/v1/models' && requests++ % 2 === 0
        ? json(response, { error: { message: 'out of memory' } }, 500)
        : handle(request, response)
    await sleep(milliseconds)
    second.handle = (_, response) => void response.destroy()
    await sleep(milliseconds)
    second.handle = handle
  }

  /** Somebody tries tokens for as long, and votes without end with one that is right. */
  async attacked(milliseconds: number): Promise<void> {
    const [replica] = this.replicas as [GatewayProcess]
    const stolen = await replica.ask()
    for (const end = Date.now() + milliseconds; Date.now() < end; await sleep(100)) {
      await replica.vote({ ...(await replica.ask()), token: 'forged' })
      await replica.vote(stolen)
    }
  }

  async close(): Promise<void> {
    this.isOpen = false
    await Promise.all(this.users)
    await Promise.all(this.replicas.map((replica) => replica.kill()))
    await Promise.all(this.servers.map((server) => server.close()))
    await (this.again ?? this.broker).stop()
  }

  private again: Broker | null = null

  private async live(user: string): Promise<void> {
    const random = randomOf(user)
    const anyone = () => this.replicas[Math.floor(random() * this.replicas.length)]!
    while (this.isOpen) {
      await sleep(2 * PAUSE_MS * random())
      // a server that is away, an answer that breaks: users see that too
      await this.askAndVote(anyone, user, random).catch(() => undefined)
    }
  }

  private async askAndVote(anyone: () => GatewayProcess, user: string, random: () => number): Promise<void> {
    const content = random() < 0.05 ? [{ type: 'image_url', image_url: { url: 'data:,' } }] : 'Where is my order?'
    const asked = await anyone().ask({ user, messages: [{ role: 'user', content }] })
    const does = random()
    if (does > 0.3) return
    if (does < 0.01) await anyone().vote({ completion: newCompletionId(new Date(Date.now() - 60_000)) }, KEY)
    else if (does < 0.02) await anyone().vote({ ...asked, label: 'up' })
    else if (asked.token !== null) await anyone().vote({ ...asked, label: random() < 0.7 })
    if (random() < 0.1) await fetch(`${anyone().url}/v1/models`)
  }
}

/** A model server: thinks, and answers. It plays the daemon that has published nothing, too. */
function speaker(seed: string): Promise<StandInUpstream> {
  const random = randomOf(seed)
  const speak: Handler = async ({ url }, response) => {
    if (url === '/v1/models') return json(response, { object: 'list', data: [] })
    if (url === '/routing') return json(response, { generation: 1, name: 'bcod', salt: 's', arms: [] })
    await sleep(80 + 160 * random() ** 3)
    response.writeHead(200, { 'content-type': 'application/json' })
    const text = JSON.stringify(CHAT)
    response.write(text.slice(0, 40))
    await sleep(200 + 800 * random() ** 2)
    response.end(text.slice(40))
  }
  return StandInUpstream.start(speak)
}
