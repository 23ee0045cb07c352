import type { FastifyInstance } from 'fastify'
import { Agent } from 'undici'
import { voteKeysIn } from '../config/gateway-rules.js'
import type { ConfigFor } from '../config/requirements.js'
import { BcodError } from '../errors.js'
import { STRUCTURED_HEADERS } from '../events/encode.js'
import { kafkaConnection } from '../streams/kafka/connection.js'
import { KafkaFeedbackLog } from '../streams/kafka/log.js'
import { RecordProducer } from '../streams/kafka/record-producer.js'
import type { GatewayMetrics } from '../telemetry/gateway-metrics.js'
import type { Logger } from '../telemetry/logger.js'
import type { CompletionLog } from './completion-log.js'
import { backOf, drain, frontOf, open } from './http/front.js'
import { proxyPlugin } from './http/proxy.js'
import { KafkaCompletionLog } from './log/kafka-completion-log.js'
import { statusOf } from './status.js'
import { Routes } from './upstream/routes.js'
import { routingOf } from './upstream/routing-source.js'
import { Upstreams } from './upstream/upstreams.js'
import { ApiKeys } from './votes/api-keys.js'
import { BallotBox } from './votes/ballot-box.js'
import { votesPlugin } from './votes/plugin.js'
import type { VoteEvent } from './votes/vote-event.js'
import { VotesTopic } from './votes/votes-topic.js'

/** The longest answer that can be voted on. */
const MAX_ANSWER_MS = 3_600_000
const MAX_RECORD_BYTES = 2 ** 19
/** How long a vote waits for Kafka's word. */
const PATIENCE_MS = 10_000
/** How long answers under way may take when the gateway ends; less than the grace that Kubernetes gives. */
const DRAIN_MS = 90_000

/** The way in: answers of model servers pass, and votes on them come back. Holds no state that another replica lacks. */
export class Gateway {
  readonly #config: ConfigFor<'gateway'>
  readonly #metrics: GatewayMetrics
  readonly #logger: Logger
  readonly #log: CompletionLog
  readonly #producer: RecordProducer
  readonly #dispatcher: Agent
  readonly #upstreams: Upstreams
  readonly #routes: Routes
  readonly #ballots: BallotBox
  readonly #votes: VotesTopic | null
  readonly #closing: FastifyInstance[] = []
  #isOpen = false
  #hasBegun = false

  /** @throws FILE_UNREADABLE, CONFIG_INVALID for certificates and API keys */
  constructor(config: ConfigFor<'gateway'>, metrics: GatewayMetrics, logger: Logger) {
    this.#config = config
    this.#metrics = metrics
    this.#logger = logger
    const { gateway } = config
    this.#log = this.#completionLog()
    this.#producer = new RecordProducer(this.#connection(), config.stream.topic)
    const { upstreamTimeout: limit } = gateway
    this.#dispatcher = new Agent({ headersTimeout: limit, bodyTimeout: limit, connect: { timeout: 5_000 } })
    this.#upstreams = new Upstreams({
      ...{ urls: gateway.upstreams, dispatcher: this.#dispatcher },
      headers: gateway.upstreamKey === null ? {} : { authorization: `Bearer ${gateway.upstreamKey}` },
      onChange: ({ name, isHealthy }) => {
        metrics.upstreamUp.set({ upstream: name }, isHealthy ? 1 : 0)
        if (isHealthy) logger.info({ event: 'UpstreamUp', upstream: name }, 'the model server answers again')
        else logger.error({ event: 'UpstreamDown', upstream: name }, 'the model server does not answer')
      },
    })
    this.#routes = new Routes({
      ...{ read: routingOf(config), model: gateway.model },
      onChange: (problem) => {
        metrics.routingUp.set(problem === null ? 1 : 0)
        this.#tell('Routing', problem === null ? null : codedOr(problem, 'ROUTING_UNREADABLE'))
      },
    })
    this.#ballots = this.#ballotBox()
    this.#votes = gateway.votesTopic === null ? null : this.#votesTopic(gateway.votesTopic)
  }

  /** Resolves to the ports when both are open. */
  async listen(): Promise<{ readonly port: number; readonly statusPort: number }> {
    const { gateway, server } = this.#config
    for (const { name } of this.#upstreams.all) this.#metrics.upstreamUp.set({ upstream: name }, 1)
    await Promise.all([this.#upstreams.look(), this.#routes.start()])
    if (this.#routes.isFollowed) this.#metrics.routingUp.set(this.#routes.isReadable ? 1 : 0)
    const parts = { log: this.#log, routes: this.#routes, upstreams: this.#upstreams }
    const back = backOf(this.#metrics, () => statusOf(parts, this.#isReady()))
    const front = await this.#front()
    this.#closing.push(front, back)
    await open(back, server.host, server.port)
    await open(front, gateway.host, gateway.port)
    this.#votes?.start()
    this.#isOpen = true
    return { port: portOf(front), statusPort: portOf(back) }
  }

  /** Takes no new request after `gateway.stopDelay`, finishes answers that are under way, and sends what waits for Kafka. */
  async close(): Promise<void> {
    this.#isOpen = false
    const [front, back] = this.#closing
    if (front !== undefined) await drain(front, { delay: this.#config.gateway.stopDelay, limit: DRAIN_MS })
    await this.#votes?.close()
    await Promise.all([this.#log.close(), this.#producer.close()])
    this.#routes.close()
    this.#upstreams.close()
    await this.#dispatcher.close()
    await back?.close()
  }

  /**
   * Whether requests should come here: from the moment on when it knows which version answers whom and one server has
   * answered, until it stops. What fails later fails for all replicas, and taking them away would help nobody.
   */
  #isReady(): boolean {
    this.#hasBegun ||= this.#routes.isKnown && this.#upstreams.areAnyHealthy
    return this.#isOpen && this.#hasBegun
  }

  async #front(): Promise<FastifyInstance> {
    const { gateway } = this.#config
    const metrics = this.#metrics
    const failed = (error: unknown) =>
      this.#logger.error(
        { event: 'Failed', code: 'INTERNAL', err: error instanceof Error ? error.name : typeof error },
        'unexpected error',
      )
    const front = await frontOf({ ...gateway, idleTimeout: gateway.upstreamTimeout + 60_000, metrics })
    const [voteKey = null] = this.#voteKeys()
    await front.register(proxyPlugin, {
      ...{ upstreams: this.#upstreams, dispatcher: this.#dispatcher, routes: this.#routes, log: this.#log, metrics },
      ...{ upstreamKey: gateway.upstreamKey, userSalt: gateway.userSalt, voteKey, voteTtl: gateway.voteTtl },
      ...{ tokenIds: gateway.tokenIds, model: gateway.model, maxBodyBytes: gateway.maxBodyBytes, failed },
      maxRecordBytes: MAX_RECORD_BYTES,
    })
    await front.register(votesPlugin, {
      ...{ ballots: this.#ballots, userSalt: gateway.userSalt, ownSource: gateway.source, failed },
      ...{ votesPerMinute: gateway.votesPerMinute, keyVotesPerMinute: gateway.keyVotesPerMinute },
      ignored: (count) => metrics.eventsIgnored.inc(count),
      limited: (limit, count) => metrics.votesLimited.inc({ limit }, count),
      decided: (outcome, count) => metrics.votes.inc({ outcome }, count),
      joined: (seconds) => metrics.join.observe(seconds),
    })
    return front
  }

  #completionLog(): CompletionLog {
    const { stream, gateway } = this.#config
    const { completionsLogged, logUp } = this.#metrics
    return new KafkaCompletionLog({
      ...{ connection: this.#connection(), source: gateway.source, maxAnswer: MAX_ANSWER_MS },
      topic: gateway.completionsTopic ?? `${stream.topic}.completions`,
      told: {
        logged: (count) => completionsLogged.inc({ outcome: 'logged' }, count),
        lost: (count, cause) => {
          completionsLogged.inc({ outcome: 'lost' }, count)
          if (cause !== null) this.#tell('CompletionLost', cause)
        },
        changed: (problem) => {
          logUp.set(problem === null ? 1 : 0)
          this.#tell('CompletionsLog', problem)
        },
      },
    })
  }

  #ballotBox(): BallotBox {
    const { gateway } = this.#config
    return new BallotBox({
      ...{ log: this.#log, publish: (events) => this.#publish(events), voteKeys: this.#voteKeys() },
      apiKeys: gateway.apiKeysFile === null ? new ApiKeys([]) : ApiKeys.fromFile(gateway.apiKeysFile),
      ...{ voteTtl: gateway.voteTtl, userSalt: gateway.userSalt, source: gateway.source, patience: PATIENCE_MS },
    })
  }

  #votesTopic(topic: string): VotesTopic {
    const { stream, limits } = this.#config
    const { sessionTimeout } = stream
    return new VotesTopic({
      log: new KafkaFeedbackLog({
        ...{ ...this.#connection(), topic, groupId: `${stream.groupId}-gateway`, sessionTimeout },
        ...{ maxBatchBytes: limits.maxBatchBytes, isShared: true },
      }),
      join: (vote) => this.#ballots.join(vote, this.#ballots.voterNamed(vote.user, 'topic'), new Date()),
      publish: (events) => this.#ballots.publish(events),
      decided: (outcome, count) => this.#metrics.votes.inc({ outcome }, count),
      failed: (problem) => this.#tell('VotesTopic', problem),
    })
  }

  #publish(events: readonly VoteEvent[]): Promise<void> {
    return this.#producer.send(
      events.map(({ subject, value }) => ({ key: subject, value, headers: STRUCTURED_HEADERS })),
    )
  }

  #connection() {
    return kafkaConnection(this.#config.stream)
  }

  #voteKeys(): readonly Uint8Array[] {
    return voteKeysIn(this.#config.gateway.voteKey).map((key) => Buffer.from(key))
  }

  /** One line when something has begun to fail, and one when it works again (null). */
  #tell(event: string, problem: BcodError | null): void {
    if (problem === null) this.#logger.info({ event }, 'works')
    else this.#logger.error({ event, code: problem.code, remedy: problem.remedy }, problem.message)
  }
}

const codedOr = (error: unknown, code: 'ROUTING_UNREADABLE'): BcodError =>
  error instanceof BcodError ? error : new BcodError(code, 'no answer', { place: 'gateway.routing', cause: error })

function portOf({ server }: FastifyInstance): number {
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}
