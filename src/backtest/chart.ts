/** A figure after so many votes; null where there is none. */
export interface Point {
  readonly x: number
  readonly y: number | null
  /** Ends of its interval, if it has one. */
  readonly low?: number | null
  readonly high?: number | null
}

export interface Series {
  readonly name: string
  /** Of the stylesheet: `model`, `length`, `prompt`. */
  readonly kind: string
  readonly points: readonly Point[]
}

export interface Chart {
  readonly title: string
  readonly series: readonly Series[]
  /** Points that follow from one another are joined, their intervals shaded; others stand alone, each with its own. */
  readonly joined: boolean
  /** Largest x. */
  readonly votes: number
}

const [WIDTH, HEIGHT] = [720, 280]
const MARGIN = { left: 46, right: 14, top: 12, bottom: 46 }
const Y_TICKS = [0, 0.25, 0.5, 0.75, 1]
const MOST_X_TICKS = 6

interface Scales {
  readonly x: (votes: number) => number
  readonly y: (share: number) => number
}

/** A chart of shares from 0 to 1 over votes as SVG, in the colours of the page that it stands in. */
export function chartSvg({ title, series, joined, votes }: Chart): string {
  const scales: Scales = {
    x: (value) => round(MARGIN.left + (value / Math.max(1, votes)) * (WIDTH - MARGIN.left - MARGIN.right)),
    y: (value) => round(MARGIN.top + (1 - value) * (HEIGHT - MARGIN.top - MARGIN.bottom)),
  }
  const drawn = series.map((each) => (joined ? line(each, scales) : dots(each, scales)))
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">${axes(votes, scales)}${drawn.join('')}</svg>`
}

function axes(votes: number, { x, y }: Scales): string {
  const grid = Y_TICKS.map(
    (tick) =>
      `<path class="grid${tick === 0.5 ? ' half' : ''}" d="M${x(0)} ${y(tick)}H${x(votes)}"/><text x="${x(0) - 8}" y="${y(tick) + 4}" text-anchor="end">${tick}</text>`,
  )
  const ticks = ticksUpTo(votes).map(
    (tick) => `<text x="${x(tick)}" y="${y(0) + 20}" text-anchor="middle">${tick.toLocaleString('en')}</text>`,
  )
  return `${grid.join('')}${ticks.join('')}<text x="${x(votes / 2)}" y="${HEIGHT - 4}" text-anchor="middle">votes</text>`
}

/** Round numbers from 0 on, `MOST_X_TICKS` at most. */
export function ticksUpTo(votes: number): readonly number[] {
  const least = Math.max(1, votes / (MOST_X_TICKS - 1))
  const power = 10 ** Math.floor(Math.log10(least))
  const step = [1, 2, 5, 10].map((times) => times * power).find((each) => each >= least) as number
  return Array.from({ length: Math.floor(votes / step) + 1 }, (_, i) => i * step)
}

function line({ kind, points }: Series, { x, y }: Scales): string {
  const known = points.flatMap(({ x: at, y: value }) => (value === null ? [] : [`${x(at)} ${y(value)}`]))
  if (known.length === 0) return ''
  const drawn =
    known.length === 1 ? dot(kind, known[0] as string) : `<path class="line ${kind}" d="M${known.join('L')}"/>`
  return `${runs(points)
    .map((run) => band(run, { x, y }))
    .join('')}${drawn}`
}

type Known = Point & { readonly y: number; readonly low: number; readonly high: number }

const hasInterval = (point: Point): point is Known => point.y !== null && point.low != null && point.high != null

/** Neighbours that all have intervals: nothing is shaded where nothing is known. */
function runs(points: readonly Point[]): readonly (readonly Known[])[] {
  const all: Known[][] = [[]]
  for (const point of points) {
    if (hasInterval(point)) (all.at(-1) as Known[]).push(point)
    else all.push([])
  }
  return all.filter((run) => run.length > 1)
}

function band(run: readonly Known[], { x, y }: Scales): string {
  const outline = [
    ...run.map(({ x: at, high }) => [x(at), y(high)]),
    ...run.toReversed().map(({ x: at, low }) => [x(at), y(low)]),
  ]
  return `<path class="band" d="M${outline.map((point) => point.join(' ')).join('L')}Z"/>`
}

function dots({ kind, points }: Series, { x, y }: Scales): string {
  return points
    .map((point) => {
      if (point.y === null) return ''
      const whisker = hasInterval(point)
        ? `<path class="whisker" d="M${x(point.x)} ${y(point.low)}V${y(point.high)}"/>`
        : ''
      return `${whisker}${dot(kind, `${x(point.x)} ${y(point.y)}`)}`
    })
    .join('')
}

/** A line without length, whose round ends make the dot. */
const dot = (kind: string, at: string): string => `<path class="dot ${kind}" d="M${at}h0"/>`

const round = (value: number): number => Math.round(10 * value) / 10
