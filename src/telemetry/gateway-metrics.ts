import { type MetricInfo, MetricSet } from './metrics/metric-set.js'
import { VERSION } from './version.js'

/** A gateway's delay is a matter of milliseconds, an answer's of minutes. */
const ANSWER_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]
const JOIN_BUCKETS = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** Every metric of `bcod gateway`. No label is a user, a model, a key or a version. */
export class GatewayMetrics {
  private readonly set = new MetricSet()
  readonly requests = this.set.counter('gateway_requests_total', 'requests', 'Requests by route and status.', [
    'route',
    'status',
  ])
  readonly firstByte = this.set.histogram(
    'gateway_first_byte_seconds',
    'seconds',
    'From a request for an answer to the first byte of it.',
    ANSWER_BUCKETS,
  )
  readonly upstream = this.set.histogram(
    'gateway_upstream_seconds',
    'seconds',
    'From a request to a model server to the last byte of its answer.',
    ANSWER_BUCKETS,
  )
  readonly completionsLogged = this.set.counter(
    'gateway_completions_logged_total',
    'answers',
    'Answers by what became of their record: logged; lost, because Kafka was away or refused it; untokened, sent without a vote token meanwhile.',
    ['outcome'],
  )
  readonly unvotable = this.set.counter(
    'gateway_unvotable_total',
    'answers',
    'Answers that nobody can vote on, by the reason in their record: media, template, not_continuation, cut, client_left, too_long, empty, unreadable. Choices of one request count one by one.',
    ['reason'],
  )
  readonly votes = this.set.counter(
    'gateway_votes_total',
    'votes',
    'Votes and events that came to the gateway: accepted, or the code of the error that was answered.',
    ['outcome'],
  )
  readonly votesLimited = this.set.counter(
    'gateway_votes_limited_total',
    'votes',
    'Votes and events above a limit: user, gateway.votesPerMinute; key, gateway.keyVotesPerMinute. A batch counts as all of its events.',
    ['limit'],
  )
  readonly eventsIgnored = this.set.counter(
    'gateway_events_ignored_total',
    'events',
    "Events of Langfuse's ingestion that are no scores, such as traces: acknowledged and forgotten.",
  )
  readonly join = this.set.histogram(
    'gateway_join_seconds',
    'seconds',
    'From a vote by id to its event in the topic: finding the answer and the acknowledgement of Kafka.',
    JOIN_BUCKETS,
  )
  readonly upstreamUp = this.set.gauge(
    'gateway_upstream_up',
    'boolean',
    '1 while a model server answers, 0 otherwise.',
    ['upstream'],
  )
  readonly logUp = this.set.gauge(
    'gateway_log_up',
    'boolean',
    '1 while answers reach the completions topic, 0 otherwise. Answers flow in either case.',
  )
  readonly routingUp = this.set.gauge(
    'gateway_routing_up',
    'boolean',
    '1 while the routing can be read, 0 otherwise: it then stays as it was. Absent without a registry.',
  )
  private readonly buildInfo = this.set.gauge('build_info', 'boolean', 'Always 1; the version is in the labels.', [
    'version',
    'node',
  ])

  constructor() {
    for (const limit of ['user', 'key']) this.votesLimited.inc({ limit }, 0)
    this.buildInfo.set({ version: VERSION, node: process.version }, 1)
  }

  /** All metrics, in the order of the documentation. */
  get catalogue(): readonly MetricInfo[] {
    return this.set.catalogue
  }

  /** Adds prom-client's metrics of the process. */
  collectProcess(): void {
    this.set.collectProcess()
  }

  /** The exposition text for Prometheus. */
  text(): Promise<string> {
    return this.set.registry.metrics()
  }

  get contentType(): string {
    return this.set.registry.contentType
  }
}
