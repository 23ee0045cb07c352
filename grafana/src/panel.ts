/** One panel as a page describes it; `page.ts` makes Grafana's JSON of it. */
export interface PanelSpec {
  readonly kind: 'lines' | 'heatmap' | 'states' | 'figure'
  readonly title: string
  /** What it shows, what good looks like, and what bad looks like. */
  readonly shows: string
  readonly good: string
  readonly bad: string
  readonly unit: Unit
  readonly queries: readonly Query[]
  /** Half of the page instead of a quarter. */
  readonly wide?: boolean
  /** Of `states`, the colour of values from 1 up by how the legend begins; others are green. */
  readonly colours?: Readonly<Record<string, string>>
  /** Of `states`, the colour of values below 1; else none. */
  readonly below?: string
  /** Drawn as dashed lines: beyond the first it is worth a look, beyond the second something is wrong. */
  readonly bounds?: Bounds
}

export interface Query {
  readonly expr: string
  /** With Grafana's `{{label}}`; without one, the series' name is its text. */
  readonly legend: string
  /** Why a sound daemon may have no data here. */
  readonly mayBeEmpty?: string
}

export interface Bounds {
  /** Whether higher is worse. */
  readonly above: boolean
  readonly look: number
  readonly wrong?: number
}

export interface RowSpec {
  readonly title: string
  readonly panels: readonly PanelSpec[]
}

export interface PageSpec {
  readonly uid: string
  readonly title: string
  readonly description: string
  readonly rows: readonly RowSpec[]
}

/** Grafana's units that are used here. */
export type Unit =
  | 'none'
  | 'short'
  | 'sci'
  | 's'
  | 'bytes'
  | 'decmbytes'
  | 'percent'
  | 'percentunit'
  | 'cps'
  | 'bool'
  | 'watt'
  | 'celsius'
  | 'suffix: nats'

/** The series of the chosen daemons, with further label matchers. */
export const of = (name: string, ...matchers: readonly string[]): string =>
  `${name}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join(',')}}`

/** Per second, over the interval that fits the scrape interval and the screen. */
export const rate = (name: string, ...matchers: readonly string[]): string =>
  `rate(${of(name, ...matchers)}[$__rate_interval])`

export const increase = (name: string, ...matchers: readonly string[]): string =>
  `increase(${of(name, ...matchers)}[$__rate_interval])`

/** Half and 95 of 100 observations of a histogram are below these. */
export const quantiles = (histogram: string): readonly Query[] =>
  [0.5, 0.95].map((quantile) => ({
    expr: `histogram_quantile(${quantile}, sum by (instance, le) (${rate(`${histogram}_bucket`)}))`,
    legend: `p${100 * quantile} {{instance}}`,
  }))

/** How many observations fell into each bucket. */
export const buckets = (histogram: string, ...matchers: readonly string[]): readonly Query[] => [
  { expr: `sum by (le) (${increase(`${histogram}_bucket`, ...matchers)})`, legend: '{{le}}' },
]
