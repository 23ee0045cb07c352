/** A metric, an error and a config key as the generated pages show them. */
interface MetricRow {
  readonly name: string
  readonly type: string
  readonly labels: readonly string[]
  readonly unit: string
  readonly help: string
}

interface ErrorRow {
  readonly cause: string
  readonly remedy: string
}

interface KeyRow {
  readonly key: string
  readonly doc: string
  readonly expects: string
  readonly default: unknown
  readonly env: string
  readonly sensitive: boolean
}

export function metricsPage(metrics: readonly MetricRow[]): string
export function errorsPage(errors: Readonly<Record<string, ErrorRow>>): string
export function configurationPage(keys: readonly KeyRow[]): string
