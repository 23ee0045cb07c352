import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Observable } from 'rxjs'
import { BcodError } from '../errors.js'
import { AdminRoutes, type AdminVerb } from './admin.js'
import { type Answer, failure, json, methodNotAllowed, notFound, send } from './answer.js'
import { type Check, verdict } from './health.js'
import { PageAssets } from './page.js'
import { TAP_PATH, TapStreams } from './tap.js'

export interface StatusServerOptions {
  readonly host: string
  /** 0 = any free one; `listen` tells which. */
  readonly port: number
  /** Bearer token of the admin verbs; null = there are none. */
  readonly adminToken: string | null
}

/** Where the answers come from. Called for each request; they must be quick and hold no user text. */
export interface StatusSources {
  /** Exposition text. */
  metrics(): Promise<string>
  live(): readonly Check[]
  ready(): readonly Check[]
  status(): object
  /** The last hour, from a time on; both in seconds since 1970. */
  history(since: number): object
  /** Lines for `/v1/tap`, as they happen. */
  readonly tap$: Observable<object>
  /** Told of an answer that could not be given. */
  failed?(error: unknown): void
}

/** The last hour as JSON, for the operator's page. */
const HISTORY_PATH = '/v1/history'
const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8'
const CLOSE_GRACE_MS = 1000

/** Metrics, probes, status and the operator's page over HTTP. */
export class StatusServer {
  private readonly server: Server
  private readonly admin: AdminRoutes
  private readonly taps: TapStreams
  private readonly assets = new PageAssets()

  constructor(
    private readonly options: StatusServerOptions,
    private readonly sources: StatusSources,
  ) {
    this.taps = new TapStreams(sources.tap$)
    this.admin = new AdminRoutes(options.adminToken)
    this.server = createServer((request, response) => void this.handle(request, response))
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
        resolve((this.server.address() as AddressInfo).port)
      })
    })
  }

  /** Takes no more requests, lets those that run end within a second, and ends kept-alive connections. */
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
    if (request.method === 'GET' && request.url === TAP_PATH) return this.taps.open(request, response)
    try {
      send(request, response, await this.answer(request))
    } catch (error) {
      this.sources.failed?.(error)
      send(request, response, failure(500, 'INTERNAL', 'The answer could not be given; the log says why.'))
    }
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
        return async () => ({ status: 200, type: METRICS_TYPE, body: await this.sources.metrics() })
      case '/livez':
        return () => probe(this.sources.live())
      case '/readyz':
        return () => probe(this.sources.ready())
      case '/status':
        return () => json(200, this.sources.status())
      case HISTORY_PATH:
        return () => this.history(query)
      default:
        return null
    }
  }

  private history(query: string): Answer {
    const since = new URLSearchParams(query).get('since') ?? '0'
    return /^\d{1,12}(\.\d+)?$/.test(since) ? json(200, this.sources.history(Number(since))) : QUERY_INVALID
  }
}

const QUERY_INVALID = failure(400, 'QUERY_INVALID', '`since` is a number of seconds since 1970.')

function probe(checks: readonly Check[]): Answer {
  const result = verdict(checks)
  return json(result.ok ? 200 : 503, result)
}

function bindError(error: NodeJS.ErrnoException, place: string): BcodError {
  const details = { place, cause: error }
  return error.code === 'EADDRINUSE'
    ? new BcodError('SERVER_PORT_IN_USE', 'the port is taken', details)
    : new BcodError('SERVER_BIND_FAILED', error.code ?? 'unknown reason', details)
}
