import type { Routing } from '../adapters/registry/routing.js'
import { VERSION } from '../telemetry/version.js'
import type { CompletionLog } from './completion-log.js'
import type { Routes } from './upstream/routes.js'
import type { Upstreams } from './upstream/upstreams.js'

/** What `GET /status` of a gateway answers. It names no user, and no text. */
export interface GatewayStatus {
  readonly version: string
  readonly ready: boolean
  /** Whether an answer that begins now can be voted on: Kafka takes its record. */
  readonly log: 'up' | 'down'
  readonly routing: {
    /** Whether the last look could read it; if not, what follows is older. */
    readonly readable: boolean
    /** Null: nothing is published, or no registry is named, and requests go on as they are. */
    readonly generation: number | null
    readonly arms: Routing['arms']
  }
  readonly upstreams: readonly { readonly name: string; readonly healthy: boolean; readonly requests: number }[]
}

/** What a gateway is made of. */
export interface GatewayParts {
  readonly log: CompletionLog
  readonly routes: Routes
  readonly upstreams: Upstreams
}

export function statusOf({ log, routes, upstreams }: GatewayParts, ready: boolean): GatewayStatus {
  const { routing, isReadable: readable } = routes
  return {
    ...{ version: VERSION, ready, log: log.available ? 'up' : 'down' },
    routing: { readable, generation: routing?.generation ?? null, arms: routing?.arms ?? [] },
    upstreams: upstreams.all.map(({ name, isHealthy, inFlight }) => {
      return { name, healthy: isHealthy, requests: inFlight }
    }),
  }
}
