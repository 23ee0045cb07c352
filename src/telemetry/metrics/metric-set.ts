import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/** How documentation describes one metric. */
export interface MetricInfo {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly labels: readonly string[]
  readonly unit: string
  readonly help: string
}

/** Creates metrics named `bcod_…` and keeps the catalogue for the documentation. */
export class MetricSet {
  readonly registry = new Registry()
  readonly catalogue: MetricInfo[] = []

  /** Adds prom-client's metrics of the process: CPU, memory, file descriptors, event-loop lag, garbage collection. */
  collectProcess(): void {
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 50 })
    // gauges that are named like counters; the same figures are there by type, without the suffix
    for (const kind of ['handles', 'requests', 'resources'])
      this.registry.removeSingleMetric(`nodejs_active_${kind}_total`)
  }

  counter<Label extends string = never>(name: string, unit: string, help: string, labels: readonly Label[] = []) {
    this.catalogue.push({ name: `bcod_${name}`, type: 'counter', labels, unit, help })
    return new Counter<Label>({ name: `bcod_${name}`, help, labelNames: labels, registers: [this.registry] })
  }

  gauge<Label extends string = never>(name: string, unit: string, help: string, labels: readonly Label[] = []) {
    this.catalogue.push({ name: `bcod_${name}`, type: 'gauge', labels, unit, help })
    const gauge = new Gauge<Label>({ name: `bcod_${name}`, help, labelNames: labels, registers: [this.registry] })
    if (labels.length === 0) gauge.remove() // prom-client would start it at 0
    return gauge
  }

  histogram<Label extends string = never>(
    name: string,
    unit: string,
    help: string,
    buckets: readonly number[],
    labels: readonly Label[] = [],
  ) {
    this.catalogue.push({ name: `bcod_${name}`, type: 'histogram', labels, unit, help })
    return new Histogram<Label>({
      name: `bcod_${name}`,
      help,
      labelNames: labels,
      buckets: [...buckets],
      registers: [this.registry],
    })
  }
}

/** Observes every finite number; a histogram has no bucket for others, and NonFiniteStep counts them. */
export function observeAll<Label extends string>(
  histogram: Histogram<Label>,
  values: readonly number[],
  labels: Partial<Record<Label, string>> = {},
): void {
  for (const value of values) if (Number.isFinite(value)) histogram.observe(labels, value)
}

/** Upper bounds of the buckets for durations, in seconds. */
export const DURATION_BUCKETS = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

/** The same for the time from a vote to its effect. */
export const LATENCY_BUCKETS = [1, 2.5, 5, 10, 20, 30, 45, 60, 90, 120, 300, 600, 1800, 3600, 21_600, 86_400]
