import type { Explanation } from '../../src/config/explain.js'
import type { ErrorTable } from '../../src/errors/entry.js'

/** A metric as its page shows it. */
interface MetricRow {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly unit: string
  readonly help: string
}

export function metricsPage(metrics: readonly MetricRow[], ofGateway: readonly MetricRow[]): string
export function errorsPage(errors: ErrorTable): string
export function configurationPage(keys: readonly Explanation[]): string
