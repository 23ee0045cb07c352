import { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js'
import { Metrics } from '../../src/telemetry/metrics.js'

/** What NVIDIA's DCGM exporter tells of each GPU; the names are its own. */
const DCGM = ['DCGM_FI_DEV_GPU_UTIL', 'DCGM_FI_DEV_FB_USED', 'DCGM_FI_DEV_POWER_USAGE', 'DCGM_FI_DEV_GPU_TEMP']

/** Labels that Prometheus gives each series of a target. */
export const TARGET_LABELS = ['job', 'instance'] as const

export interface Series {
  readonly labels: readonly string[]
  /** Only ever rises: a counter, or a part of a histogram. */
  readonly counted: boolean
}

type Named = readonly [name: string, series: Series]

/** Every series that a scrape of the daemon, of a DCGM exporter, or of kube-state-metrics can give, by name. */
export async function knownSeries(): Promise<ReadonlyMap<string, Series>> {
  const metrics = new Metrics()
  const catalogue = [...metrics.catalogue, ...new GatewayMetrics().catalogue]
  const own = catalogue.flatMap(({ name, type, labels }) => seriesOf(name, type, labels))
  const names = new Set(own.map(([name]) => name))
  metrics.collectProcess()
  const process = (await metrics.registry.getMetricsAsJSON()).flatMap(({ name, type, values }) =>
    // the types say that it is a number; it is the word
    seriesOf(name, String(type), [...new Set(values.flatMap(({ labels }) => Object.keys(labels)))]),
  )
  const gpu = DCGM.flatMap((name) => seriesOf(name, 'gauge', ['gpu', 'Hostname']))
  const cluster = seriesOf('kube_statefulset_replicas', 'gauge', ['namespace', 'statefulset'])
  return new Map([...own, ...process.filter(([name]) => !names.has(name)), ...gpu, ...cluster])
}

function seriesOf(name: string, type: string, labels: readonly string[]): readonly Named[] {
  if (type !== 'histogram') return [[name, { labels, counted: type === 'counter' }]]
  return ['bucket', 'sum', 'count'].map((part) => [
    `${name}_${part}`,
    { labels: part === 'bucket' ? [...labels, 'le'] : labels, counted: true },
  ])
}

/** The names of series in an expression. */
export const namesIn = (expr: string): readonly string[] => expr.match(/\b(?:bcod|process|nodejs|DCGM|kube)_\w+/g) ?? []

/** The labels that an expression selects or groups by. */
export function labelsIn(expr: string): readonly string[] {
  const selected = [...expr.matchAll(/[{,]\s*(\w+)(?:=~|!~|!=|=)"/g)].map((match) => match[1]!)
  const grouped = [...expr.matchAll(/\b(?:by|on|ignoring|without|group_left) \(([^)]*)\)/g)].flatMap((match) =>
    match[1]!.split(/, */).filter((label) => label !== ''),
  )
  return [...selected, ...grouped]
}

/** The series that an expression takes a rate of. */
export const ratedIn = (expr: string): readonly string[] =>
  [...expr.matchAll(/\b(?:rate|increase)\((\w+)/g)].map((match) => match[1]!)
