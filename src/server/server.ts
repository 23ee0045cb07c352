import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Observable } from 'rxjs'
import { AdminRoutes, type AdminVerb } from './admin.js'
import { AllowedHosts } from './allowed-hosts.js'
import { type Answer, failure, json, methodNotAllowed, notFound, send } from './answer.js'
import { bindError } from './bind-error.js'
import { affordableConnections, ConnectionLimit } from './connections.js'
import { addressGroup } from './crowd.js'
import { type Check, verdict } from './health.js'
import { PageAssets } from './page.js'
import type { Refusal } from './refusals.js'
import { TAP_PATH, TapStreams } from './tap.js'

export interface StatusServerOptions {
  readonly host: string
  /** 0 = any free port; `listen` resolves with it. */
  readonly port: number
  /** Bearer token of the admin verbs; null = there are none. */
  readonly adminToken: string | null
  /** Names beside those that need no setting (`AllowedHosts`). @default none */
  readonly allowedHosts?: readonly string[]
  /** Open connections; fewer if the descriptor limit is low. @default 128 */
  readonly maxConnections?: number
  /** How long a request may take to arrive, milliseconds. @default 10_000 */
  readonly arrivalLimit?: number
  /** Delay of the answer to a wrong admin token, milliseconds. @default 500 */
  readonly wrongTokenDelay?: number
}

/** The contents of the answers. Called for each request; they must be quick and hold no user text. */
export interface StatusSources {
  /** Exposition text. */
  metrics(): Promise<string>
  live(): readonly Check[]
  ready(): readonly Check[]
  status(): object
  /** Which user gets which version; null while that is not known. @default it never is */
  routing?(): object | null
  /** The last hour, from `since` on, in seconds since 1970. */
  history(since: number): object
  /** Lines for `/v1/tap`, as they happen. */
  readonly tap$: Observable<object>
  /** Called when an answer failed. */
  failed?(error: unknown): void
  /** Called for each refused request, and each displaced watcher or connection. */
  refused?(refusal: Refusal): void
}

/** For routers and gateways: `routing.json`. */
const ROUTING_PATH = '/routing'
/** The last hour as JSON, for the operator's page. */
const HISTORY_PATH = '/v1/history'
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const CLOSE_GRACE_MS = 1000
const MAX_CONNECTIONS = 128
const ARRIVAL_LIMIT_MS = 10_000
const WRONG_TOKEN_DELAY_MS = 500
/** A kept-alive connection without a request ends after this; Prometheus comes every 15 s. */
const IDLE_LIMIT_MS = 20_000
/** A client that reads nothing of its answer for this long is disconnected. */
const STALLED_LIMIT_MS = 30_000
/** Probes answer under any host name: they reveal only whether the daemon is healthy. */
const PROBES: ReadonlySet<string> = new Set(['/livez', '/readyz'])

/** Metrics, probes, status and the operator's page over HTTP. */
export class StatusServer {
  private readonly server: Server
  private readonly admin: AdminRoutes
  private readonly taps: TapStreams
  private readonly assets = new PageAssets()
  private readonly hosts: AllowedHosts
  private readonly connections: ConnectionLimit
  /** The exposition that is being written: requests that come meanwhile get the same. */
  private metrics: Promise<string> | null = null

  constructor(
    private readonly options: StatusServerOptions,
    private readonly sources: StatusSources,
  ) {
    this.hosts = new AllowedHosts([options.host, ...(options.allowedHosts ?? [])])
    this.taps = new TapStreams(sources.tap$, (address) => this.refused('watcher', address))
    const wrongToken = (request: IncomingMessage) => this.refusedRequest('token', request)
    this.admin = new AdminRoutes(options.adminToken, wrongToken, options.wrongTokenDelay ?? WRONG_TOKEN_DELAY_MS)
    const arrivalLimit = options.arrivalLimit ?? ARRIVAL_LIMIT_MS
    const limits = {
      headersTimeout: arrivalLimit,
      requestTimeout: arrivalLimit,
      keepAliveTimeout: IDLE_LIMIT_MS,
      connectionsCheckingInterval: Math.ceil(arrivalLimit / 5),
    }
    this.server = createServer(limits, (request, response) => void this.handle(request, response))
    const connections = affordableConnections(options.maxConnections ?? MAX_CONNECTIONS)
    this.connections = new ConnectionLimit(this.server, connections, (reason, address) => this.refused(reason, address))
  }

  /** Adds `POST /v1/admin/NAME`. */
  registerVerb(name: string, verb: AdminVerb): void {
    this.admin.register(name, verb)
  }

  /**
   * Resolves with the bound port.
   *
   * @throws SERVER_PORT_IN_USE, SERVER_BIND_FAILED
   */
  listen(): Promise<number> {
    const { host, port } = this.options
    return new Promise((resolve, reject) => {
      const refuse = (error: NodeJS.ErrnoException) => reject(bindError(error, `${host}:${port}`))
      this.server.once('error', refuse)
      this.server.listen(port, host, () => {
        this.server.off('error', refuse)
        // EMFILE and its like: a connection that cannot be accepted is not the end of the daemon
        this.server.on('error', () => this.refused('accept', null))
        resolve((this.server.address() as AddressInfo).port)
      })
    })
  }

  /** Accepts no more requests, gives running ones a second, and closes idle connections. */
  close(): Promise<void> {
    this.taps.close()
    return new Promise((resolve) => {
      const cut = setTimeout(() => this.server.closeAllConnections(), CLOSE_GRACE_MS)
      this.server.close(() => {
        clearTimeout(cut)
        resolve()
      })
      this.server.closeIdleConnections()
    })
  }

  private async handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.connections.admits(request, response)) return
    response.socket?.setTimeout(0)
    const [path = ''] = request.url!.split('?', 1)
    if (!PROBES.has(path) && !this.hosts.allows(request.headers.host)) {
      this.refusedRequest('host', request)
      return this.send(request, response, HOST_REFUSED)
    }
    if (request.method === 'GET' && request.url === TAP_PATH) return this.taps.open(request, response)
    try {
      this.send(request, response, await this.answer(request))
    } catch (error) {
      if (request.errored !== null) return // the client went before its body had come
      this.sources.failed?.(error)
      this.send(request, response, failure(500, 'INTERNAL', 'The answer could not be given; the log says why.'))
    }
  }

  private send(request: IncomingMessage, response: ServerResponse, answer: Answer): void {
    response.socket?.setTimeout(STALLED_LIMIT_MS)
    send(request, response, answer)
  }

  private refusedRequest(reason: 'host' | 'token', request: IncomingMessage): void {
    this.refused(reason, addressGroup(request.socket.remoteAddress))
  }

  private refused(reason: Refusal['reason'], address: string | null): void {
    this.sources.refused?.({ reason, address })
  }

  private async answer(request: IncomingMessage): Promise<Answer> {
    const [path = '', query = ''] = request.url!.split('?', 2)
    if (this.admin.owns(path)) return this.admin.answer(request, path)
    const route = this.route(path, query)
    if (route === null) return notFound()
    if (request.method !== 'GET' && request.method !== 'HEAD') return methodNotAllowed(['GET', 'HEAD'])
    return route()
  }

  private route(path: string, query: string): (() => Answer | Promise<Answer>) | null {
    if (this.assets.has(path)) return () => this.assets.answer(path)
    switch (path) {
      case '/metrics':
        return async () => ({ status: 200, type: METRICS_TYPE, body: await this.exposition() })
      case '/livez':
        return () => probe(this.sources.live())
      case '/readyz':
        return () => probe(this.sources.ready())
      case '/status':
        return () => json(200, this.sources.status())
      case ROUTING_PATH:
        return () => {
          const routing = this.sources.routing?.() ?? null
          return routing === null ? ROUTING_UNKNOWN : json(200, routing)
        }
      case HISTORY_PATH:
        return () => this.history(query)
      default:
        return null
    }
  }

  private exposition(): Promise<string> {
    this.metrics ??= this.sources.metrics().finally(() => {
      this.metrics = null
    })
    return this.metrics
  }

  private history(query: string): Answer {
    const since = new URLSearchParams(query).get('since') ?? '0'
    return /^\d{1,12}(\.\d+)?$/.test(since) ? json(200, this.sources.history(Number(since))) : QUERY_INVALID
  }
}

const HOST_REFUSED = failure(
  421,
  'HOST_REFUSED',
  'The port does not answer under this name. Use its address, or add the name to server.allowedHosts.',
)
const ROUTING_UNKNOWN = failure(503, 'NOT_RUNNING', 'Nothing has been published, or the registry was not read yet.')
const QUERY_INVALID = failure(400, 'QUERY_INVALID', '`since` is a number of seconds since 1970.')

function probe(checks: readonly Check[]): Answer {
  const result = verdict(checks)
  return json(result.ok ? 200 : 503, result)
}
