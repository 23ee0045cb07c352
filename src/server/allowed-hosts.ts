import { isIP } from 'node:net'
import { hostname } from 'node:os'

/** `localhost` is the machine's own (RFC 6761); the others are a cluster's, and no public zone holds them. */
const OWN_ZONES = ['localhost', 'svc', 'svc.cluster.local']

/**
 * The names under which the port answers. A page of another site can have its own name lead to this address (DNS
 * rebinding) and would then be of one origin with the daemon; its requests carry that name. An address in the place of
 * a name cannot be led anywhere, and neither can a name without a dot that is not of a public zone: so probes and
 * scrapes by address or by the name of a service need no setting.
 */
export class AllowedHosts {
  readonly #names: ReadonlySet<string>
  readonly #zones: readonly string[]
  readonly #all: boolean

  /** @param names  `server.allowedHosts`: `bcod.example.com`, `*.example.com`, or `*` for any */
  constructor(names: readonly string[]) {
    const given = names.map((name) => name.toLowerCase())
    this.#all = given.includes('*')
    this.#zones = [...OWN_ZONES, ...given.filter((name) => name.startsWith('*.')).map((name) => name.slice(2))]
    this.#names = new Set([hostname().toLowerCase(), ...given])
  }

  /** @param header  of the request; a client without one (HTTP/1.0) is no browser */
  allows(header: string | undefined): boolean {
    if (header === undefined || this.#all) return true
    const host = hostOf(header)
    if (host === null) return false
    return (
      isIP(host) !== 0 ||
      !host.includes('.') ||
      this.#names.has(host) ||
      this.#zones.some((zone) => host.endsWith(`.${zone}`))
    )
  }
}

/** `Name.:9464` → `name`, `[::1]:9464` → `::1`; null if it is not a host. */
function hostOf(header: string): string | null {
  const found = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?)\.?)(?::\d{1,5})?$/i.exec(header)
  return (found?.[1] ?? found?.[2])?.toLowerCase() ?? null
}
