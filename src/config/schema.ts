import { testing } from './schema-canary.js'
import { gating } from './schema-gate.js'
import { gateway } from './schema-gateway.js'
import { guarding } from './schema-guard.js'
import { learning } from './schema-learning.js'
import { publishing } from './schema-publish.js'
import { service } from './schema-service.js'
import { working } from './schema-worker.js'
import { isSetting, type Setting } from './setting.js'

/** Every key that bcod knows, in the order in which documentation lists them. */
export const schema = {
  ...{ ...learning, ...guarding, ...service, ...gating, ...publishing, ...testing, ...gateway, ...working },
}

/** What the program sees: a read-only tree of resolved values. */
type ValuesOf<Node> = {
  readonly [Key in keyof Node]: Node[Key] extends Setting<infer Value> ? Value : ValuesOf<Node[Key]>
}

/**
 * The resolved configuration. Durations are milliseconds, sizes are bytes, paths are as written (relative to the
 * working directory). `stream.dlq` and `adapters.dir` have their derived defaults filled in.
 */
export type Config = ValuesOf<typeof schema>

/** `batch.maxLatency` → its setting. */
export const settings: ReadonlyMap<string, Setting<unknown>> = new Map(leaves(schema, ''))

/** `stream`, `stream.tls`: names that hold keys and no value. */
export const groups: ReadonlySet<string> = new Set(
  [...settings.keys()].flatMap((key) => {
    const parts = key.split('.')
    return parts.slice(1).map((_, i) => parts.slice(0, i + 1).join('.'))
  }),
)

/** `batch.maxLatency` → `BCOD_BATCH_MAX_LATENCY`. */
export const environmentName = (key: string): string =>
  `BCOD_${key
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replaceAll('.', '_')
    .toUpperCase()}`

function* leaves(node: object, prefix: string): Generator<[string, Setting<unknown>]> {
  for (const [name, child] of Object.entries(node)) {
    if (isSetting(child)) yield [`${prefix}${name}`, child]
    else yield* leaves(child, `${prefix}${name}.`)
  }
}
