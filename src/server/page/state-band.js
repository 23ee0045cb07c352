// What the daemon was doing, as a band of colours over the same time as the charts.

import { CURSOR, color, element, timeAxis } from './charts.js'
import { clock, span } from './format.js'

const { uPlot } = window

const HEIGHT = 42
const KINDS = {
  starting: 'busy',
  loading: 'busy',
  joining: 'busy',
  standby: 'busy',
  running: 'good',
  paused: 'warn',
  draining: 'busy',
  stopped: 'quiet',
  failed: 'bad',
}

/** Which colour a state has: good, warn, bad, busy or quiet. */
export const kindOf = (state) => KINDS[state] ?? 'quiet'

export class StateBand {
  element = element('figure', 'card band')
  #area = element('div', 'plot')
  #text = element('p', 'about')
  #view = null
  #plot = null

  constructor() {
    const caption = element('figcaption')
    caption.append(element('h3', '', 'State'), this.#text)
    this.#area.setAttribute('role', 'img')
    this.element.append(caption, this.#area)
    new ResizeObserver(() => this.#fit()).observe(this.#area)
  }

  show(view) {
    this.#view = view
    if (this.#plot === null) this.#plot = this.#make()
    this.#plot.setData([view.points.time, view.points.time.map(() => null)])
    const summary = this.#summary()
    this.#area.setAttribute(
      'aria-label',
      `States from ${clock(view.from, false)} to ${clock(view.to, false)}: ${summary}`,
    )
    this.#read(this.#plot.cursor.idx)
  }

  redraw() {
    this.#plot?.redraw()
  }

  #make() {
    const options = {
      ...{ width: this.#area.clientWidth, height: HEIGHT, legend: { show: false }, cursor: CURSOR },
      ...{ padding: [2, 26, 0, 14] },
      scales: { x: { range: () => [this.#view.from, this.#view.to] }, y: { range: () => [0, 1] } },
      axes: [timeAxis(), { show: false }],
      series: [{}, { paths: () => null, points: { show: false } }],
      hooks: { draw: [(plot) => this.#draw(plot)], setCursor: [(plot) => this.#read(plot.cursor.idx)] },
    }
    return new uPlot(options, [[], []], this.#area)
  }

  #fit() {
    if (this.#plot && this.#area.clientWidth > 0) this.#plot.setSize({ width: this.#area.clientWidth, height: HEIGHT })
  }

  #draw({ ctx, bbox, valToPos }) {
    ctx.save()
    for (const { state, begin, end } of this.#runs()) {
      const [left, right] = [begin, end].map((time) => valToPos(time, 'x', true))
      ctx.fillStyle = color(`--${kindOf(state)}`)
      ctx.fillRect(left, bbox.top, Math.max(right - left, devicePixelRatio), bbox.height)
    }
    ctx.restore()
  }

  /** Stretches of one state; a state lasts until the next point. */
  #runs() {
    const { time, state } = this.#view.points
    const runs = []
    for (let i = 0; i < time.length - 1; i++) {
      if (runs.at(-1)?.state !== state[i]) runs.push({ state: state[i], begin: time[i], end: time[i + 1] })
      else runs.at(-1).end = time[i + 1]
    }
    return runs
  }

  #summary() {
    const totals = new Map()
    for (const { state, begin, end } of this.#runs()) totals.set(state, (totals.get(state) ?? 0) + end - begin)
    const parts = [...totals].sort(([, a], [, b]) => b - a).map(([state, seconds]) => `${state} ${span(seconds)}`)
    return parts.length === 0 ? 'nothing yet' : parts.join(', ')
  }

  #read(index) {
    const { time, state } = this.#view.points
    const pointed = index !== null && index !== undefined && index < time.length - 1
    this.#text.textContent = pointed ? `${state[index]} at ${clock(time[index])}` : this.#summary()
  }
}
