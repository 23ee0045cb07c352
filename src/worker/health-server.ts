import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BcodError } from '../errors.js'

/** What a worker says of itself: whether it serves, and what it is. */
export interface Health {
  readonly ok: boolean
  readonly detail: object
}

/** A probe asks every few seconds, and nobody else needs to. */
const MAX_CONNECTIONS = 32
const ARRIVAL_LIMIT_MS = 10_000

/** `GET /healthz`: 200 if the worker serves, else 503; a JSON document either way. */
export class HealthServer {
  readonly #server: Server
  /** An answer that several may wait for. */
  #asking: Promise<Health> | null = null

  constructor(private readonly ask: () => Promise<Health>) {
    this.#server = createServer({ requestTimeout: ARRIVAL_LIMIT_MS, headersTimeout: ARRIVAL_LIMIT_MS }, (req, res) => {
      const isAsked = (req.method === 'GET' || req.method === 'HEAD') && req.url?.split('?', 1)[0] === '/healthz'
      const answer = isAsked ? this.#health() : Promise.resolve({ ok: false, detail: { status: 'not found' } })
      void answer.then(({ ok, detail }) => {
        res.writeHead(isAsked ? (ok ? 200 : 503) : 404, { 'content-type': 'application/json', connection: 'close' })
        res.end(req.method === 'HEAD' ? undefined : `${JSON.stringify(detail)}\n`)
      })
    })
    this.#server.maxConnections = MAX_CONNECTIONS
  }

  /** Resolves to the port. @throws WORKER_BIND_FAILED */
  async listen(address: string, port: number): Promise<number> {
    this.#server.listen(port, address)
    try {
      await once(this.#server, 'listening')
    } catch (cause) {
      const { code = 'unknown reason' } = cause as NodeJS.ErrnoException
      throw new BcodError('WORKER_BIND_FAILED', `/healthz: ${code}`, {
        ...{ place: `${address} port ${port}`, cause },
        remedy: 'See that worker.address is an address of this machine and that worker.probePort is free: `ss -tlnp`.',
      })
    }
    return (this.#server.address() as AddressInfo).port
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #health(): Promise<Health> {
    this.#asking ??= this.ask().finally(() => {
      this.#asking = null
    })
    return this.#asking
  }
}
