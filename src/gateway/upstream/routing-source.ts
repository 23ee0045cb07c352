import { ROUTING } from '../../adapters/registry/routing.js'
import { openRegistryFiles } from '../../adapters/storage/open-files.js'
import type { Config } from '../../config/config.js'
import { BcodError } from '../../errors.js'
import { exchange } from '../../http/exchange.js'
import type { ReadRouting } from './routes.js'

const TIMEOUT_MS = 2_000
const LONGEST = 2 ** 20

/** Reads `GET /routing` of a daemon. */
export const routingAt =
  (url: string): ReadRouting =>
  async () => {
    const { status, body } = await exchange({ method: 'GET', url, timeout: TIMEOUT_MS, maxAnswer: LONGEST })
    // the daemon is there, and has published nothing
    if (status === 503) return null
    if (status !== 200) throw new BcodError('ROUTING_UNREADABLE', `status ${status}`, { place: 'gateway.routing' })
    return body.toString('utf8')
  }

/** Reads the file of a registry, in its directory or its bucket; null if neither is named. */
export function routingIn({ dir, store, s3 }: Config['adapters']): ReadRouting | null {
  if (dir === null && store === null) return null
  const files = openRegistryFiles({ dir: dir ?? '', store, s3 })
  return () => files.read(ROUTING)
}

/** What the daemon says; while it says nothing, because it is away or loads, what its registry says, if one is named. */
export function routingOf({ gateway, adapters }: Pick<Config, 'gateway' | 'adapters'>): ReadRouting | null {
  const registry = routingIn(adapters)
  if (gateway.routing === null) return registry
  const daemon = routingAt(gateway.routing)
  return registry === null ? daemon : async () => (await daemon().catch(() => null)) ?? registry()
}
