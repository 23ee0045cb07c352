/** One panel as a page describes it; `page.ts` makes Grafana's JSON of it. */
export interface PanelSpec {
  /** `bars` count what happens now and then; `name` shows the legends instead of the values. */
  readonly kind: 'lines' | 'bars' | 'heatmap' | 'states' | 'figure' | 'name'
  readonly title: string
  /** What it shows, what good looks like, and what bad looks like. */
  readonly shows: string
  readonly good: string
  readonly bad: string
  readonly unit: Unit
  readonly queries: readonly Query[]
  /** Half of the page instead of a quarter; its legend is a table on the right, the highest first. */
  readonly wide?: boolean
  /** Values that come now and then, such as quantiles of what is rare: points are joined. */
  readonly sparse?: boolean
  /** Where the axis ends unless a value is higher; else by the unit. */
  readonly top?: number
  /** By how the legend begins. Of `states`, the colour of values from 1 up, else green; of graphs, that of the line or bar. */
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
  /** Closed until somebody opens it. Only the last row can be. */
  readonly collapsed?: boolean
  readonly panels: readonly PanelSpec[]
}

export interface PageSpec {
  readonly uid: string
  readonly title: string
  readonly description: string
  /** Asks gateways, and not daemons. */
  readonly ofGateways?: boolean
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
  | 'Bps'
  | 'cps'
  | 'reqps'
  | 'bool'
  | 'watt'
  | 'celsius'
  | 'suffix:nats'

/** Colours of the labels of votes. */
export const UP_AND_DOWN = { up: 'green', down: 'red', retract: '#808080' } as const

/** The series of the chosen daemons, with further label matchers. */
export const of = (name: string, ...matchers: readonly string[]): string =>
  `${name}{${['job=~"$job"', 'instance=~"$instance"', ...matchers].join(',')}}`

/** The series of the chosen gateways. */
export const ofGateway = (name: string, ...matchers: readonly string[]): string =>
  `${name}{${['job=~"$gateway"', 'instance=~"$replica"', ...matchers].join(',')}}`

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
