import type { ReliabilityBin } from '../../ratio/prediction-record.js'

const SIZE = 420
const MARGIN = { left: 62, bottom: 56, top: 44, right: 24 }
const PLOT = SIZE - MARGIN.left - MARGIN.right
const HEIGHT = PLOT + MARGIN.top + MARGIN.bottom
const TICKS = [0, 0.25, 0.5, 0.75, 1]
/** Area of a point that holds everything, in pixels. */
const LARGEST_RADIUS = 26

/**
 * A reliability diagram as SVG: in each bin of p the share of thumbs-up that there was, against the p that was
 * predicted. Points on the diagonal are calibrated; their area is the share of predictions in the bin.
 */
export function reliabilityPlot(bins: readonly ReliabilityBin[]): string {
  const x = (value: number) => round(MARGIN.left + value * PLOT)
  const y = (value: number) => round(MARGIN.top + (1 - value) * PLOT)
  const grid = TICKS.flatMap((tick) => [
    `<path class="grid" d="M${x(tick)} ${y(0)}V${y(1)}M${x(0)} ${y(tick)}H${x(1)}"/>`,
    `<text x="${x(tick)}" y="${y(0) + 18}" text-anchor="middle">${tick}</text>`,
    `<text x="${x(0) - 8}" y="${y(tick) + 4}" text-anchor="end">${tick}</text>`,
  ])
  const line = bins.map(({ predicted, observed }, i) => `${i ? 'L' : 'M'}${x(predicted)} ${y(observed)}`).join('')
  const points = bins.map(({ predicted, observed, share }) => {
    const radius = round(Math.max(2, LARGEST_RADIUS * Math.sqrt(share)))
    const title = `p ${predicted.toFixed(3)}, thumbs-up ${observed.toFixed(3)}, ${(100 * share).toFixed(1)} % of all`
    return `<circle cx="${x(predicted)}" cy="${y(observed)}" r="${radius}"><title>${title}</title></circle>`
  })
  const nothing = `<text x="${x(0.5)}" y="${y(0.5)}" text-anchor="middle">nothing was predicted yet</text>`
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${SIZE}" height="${HEIGHT}" viewBox="0 0 ${SIZE} ${HEIGHT}" role="img" aria-label="Reliability of the prompt classifier">
<style>
svg{background:#fff}text{font:12px system-ui,sans-serif;fill:#444}.title{font-size:14px;font-weight:600;fill:#111}
.grid{stroke:#e4e4e4}.diagonal{stroke:#999;stroke-dasharray:4 4}.line{stroke:#2b6cb0;stroke-width:1.5;fill:none}
circle{fill:#2b6cb0;fill-opacity:.45;stroke:#2b6cb0}
</style>
<text class="title" x="${x(0)}" y="24">Reliability of the prompt classifier</text>
${grid.join('\n')}
<path class="diagonal" d="M${x(0)} ${y(0)}L${x(1)} ${y(1)}"/>
${bins.length === 0 ? nothing : `<path class="line" d="${line}"/>\n${points.join('\n')}`}
<text x="${x(0.5)}" y="${HEIGHT - 14}" text-anchor="middle">predicted p(thumbs-up), classes balanced</text>
<text transform="translate(16 ${y(0.5)}) rotate(-90)" text-anchor="middle">share of thumbs-up</text>
</svg>
`
}

const round = (value: number): number => Math.round(100 * value) / 100
