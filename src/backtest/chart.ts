/** A line over votes. */
export interface Line {
  readonly name: string
  /** Of the stylesheet: `model`, `majority`, `length`, `prompt`. */
  readonly kind: string
  /** Null where there is no figure. */
  readonly points: readonly { readonly x: number; readonly y: number | null }[]
}

/** Ends of an interval over votes. */
export type Band = readonly { readonly x: number; readonly low: number; readonly high: number }[]

export interface Chart {
  readonly title: string
  readonly lines: readonly Line[]
  readonly band: Band
  /** Largest x. */
  readonly votes: number
}

const [WIDTH, HEIGHT] = [720, 280]
const MARGIN = { left: 46, right: 14, top: 12, bottom: 40 }
const Y_TICKS = [0, 0.25, 0.5, 0.75, 1]
const X_TICKS = 5

/** A chart of shares from 0 to 1 over votes as SVG, in the colours of the page that it stands in. */
export function chartSvg({ title, lines, band, votes }: Chart): string {
  const x = (value: number) => round(MARGIN.left + (value / Math.max(1, votes)) * (WIDTH - MARGIN.left - MARGIN.right))
  const y = (value: number) => round(MARGIN.top + (1 - value) * (HEIGHT - MARGIN.top - MARGIN.bottom))
  const grid = Y_TICKS.map(
    (tick) =>
      `<path class="grid${tick === 0.5 ? ' half' : ''}" d="M${x(0)} ${y(tick)}H${x(votes)}"/><text x="${x(0) - 8}" y="${y(tick) + 4}" text-anchor="end">${tick}</text>`,
  )
  const ticks = Array.from({ length: X_TICKS + 1 }, (_, i) => Math.round((i * votes) / X_TICKS)).map(
    (tick) => `<text x="${x(tick)}" y="${y(0) + 18}" text-anchor="middle">${tick}</text>`,
  )
  const outline = [
    ...band.map(({ x: at, high }) => [x(at), y(high)]),
    ...[...band].reverse().map(({ x: at, low }) => [x(at), y(low)]),
  ]
  const area =
    outline.length === 0 ? '' : `<path class="band" d="M${outline.map((point) => point.join(' ')).join('L')}Z"/>`
  const drawn = lines.map(({ kind, points }) => {
    const known = points.flatMap(({ x: at, y: value }) => (value === null ? [] : [`${x(at)} ${y(value)}`]))
    return known.length === 0 ? '' : `<path class="line ${kind}" d="M${known.join('L')}"/>`
  })
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title}">${grid.join('')}${ticks.join('')}<text x="${x(votes / 2)}" y="${HEIGHT - 4}" text-anchor="middle">votes</text>${area}${drawn.join('')}</svg>`
}

const round = (value: number): number => Math.round(10 * value) / 10
