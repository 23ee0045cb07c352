// One chart: a canvas for the eye, its figures as text beside it, and a sentence for whoever sees neither.

import { clock, figure, short, span } from './format.js'
import { extent, latest } from './points.js'

const { uPlot } = window

const HEIGHT = 160
const FONT = '11px system-ui, sans-serif'
/** Charts with one key move their cursors together. */
export const CURSOR = { sync: { key: 'bcod' }, y: false, drag: { x: false, y: false }, points: { size: 7 } }

/** Asked for at each drawing, so that a change of colour scheme needs a redraw and no more. */
export const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim()

export const timeAxis = () => ({
  ...{
    font: FONT,
    stroke: () => color('--muted'),
    size: 22,
    gap: 5,
    space: (_, _axis, from, to) => (to - from < 240 ? 72 : 48),
  },
  ...{ grid: { stroke: () => color('--grid'), width: 1 }, ticks: { show: false } },
  values: (_, splits, _axis, _space, step) => splits.map((split) => clock(split, step < 60)),
})

export function element(tag, className, text) {
  const made = document.createElement(tag)
  if (className) made.className = className
  if (text !== undefined) made.textContent = text
  return made
}

export class Chart {
  element = element('figure', 'card')
  #spec
  #area = element('div', 'plot')
  #when = element('span', 'when')
  #values
  #means = []
  #view = null
  #columns = []
  #plot = null

  constructor(spec) {
    this.#spec = spec
    const caption = element('figcaption')
    caption.append(element('h3', '', spec.title), element('p', 'about', spec.about))
    const now = element('dl', 'now')
    this.#values = spec.series.map(({ label, color, mean }) => {
      const row = element('div', `series ${color.slice(2)}`)
      const value = element('dd')
      const name = element('dt', '', label)
      if (mean) this.#means.push(name)
      row.append(name, value)
      now.append(row)
      return value
    })
    now.append(this.#when)
    this.#area.setAttribute('role', 'img')
    this.element.append(caption, now, this.#area)
    new ResizeObserver(() => this.#fit()).observe(this.#area)
  }

  show(view) {
    this.#view = view
    this.#columns = this.#spec.series.map(({ column, mean }) => (mean ? view.means(mean) : view.points[column]))
    for (const name of this.#means) name.textContent = `mean of ${span(view.meanSeconds)}`
    if (this.#plot === null) this.#plot = this.#make()
    this.#plot.setData(this.#data())
    this.#area.classList.toggle(
      'empty',
      this.#columns.every((column) => latest(column) === null),
    )
    this.#area.setAttribute('aria-label', this.#sentence())
    this.#read(this.#plot.cursor.idx)
  }

  redraw() {
    this.#plot?.redraw()
  }

  #data() {
    return [this.#view.points.time, ...this.#columns]
  }

  #make() {
    const { series } = this.#spec
    const options = {
      padding: [8, 18, 0, 0],
      ...{ width: this.#area.clientWidth, height: HEIGHT, legend: { show: false }, cursor: CURSOR },
      scales: {
        x: { range: () => [this.#view.from, this.#view.to] },
        y: { range: (_, low, high) => this.#range(low, high) },
      },
      axes: [timeAxis(), this.#valueAxis()],
      series: [{}, ...series.map(line)],
      hooks: { drawAxes: [(plot) => this.#drawLevel(plot)], setCursor: [(plot) => this.#read(plot.cursor.idx)] },
    }
    return new uPlot(options, this.#data(), this.#area)
  }

  #fit() {
    if (this.#plot && this.#area.clientWidth > 0) this.#plot.setSize({ width: this.#area.clientWidth, height: HEIGHT })
  }

  #valueAxis() {
    return {
      ...{ font: FONT, stroke: () => color('--muted'), size: 46, gap: 6, space: 28 },
      ...{ grid: { stroke: () => color('--grid'), width: 1 }, ticks: { show: false } },
      values: (_, splits) => splits.map(short),
    }
  }

  #range(low, high) {
    const { level, floor } = this.#spec
    if (low === null) return [floor ?? 0, (floor ?? 0) + 1]
    // an axis that begins at 0 shows whole things
    const least = floor === undefined ? [] : [floor, floor + 1]
    const bounds = [low, high, ...least, ...(level === undefined ? [] : [level])]
    const [min, max] = [Math.min(...bounds), Math.max(...bounds)]
    const margin = (max - min || Math.abs(max) || 1) * 0.08
    return [min === floor ? min : min - margin, max + margin]
  }

  #drawLevel({ ctx, bbox, valToPos }) {
    const { level } = this.#spec
    if (level === undefined) return
    const y = Math.round(valToPos(level, 'y', true))
    ctx.save()
    ctx.strokeStyle = color('--muted')
    ctx.lineWidth = devicePixelRatio
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio])
    ctx.beginPath()
    ctx.moveTo(bbox.left, y)
    ctx.lineTo(bbox.left + bbox.width, y)
    ctx.stroke()
    ctx.restore()
  }

  /** @param index  of the point under the cursor; null or undefined for the latest figures */
  #read(index) {
    const { points } = this.#view
    const pointed = index !== null && index !== undefined && index < points.time.length - 1
    this.#when.textContent = pointed ? clock(points.time[index]) : ''
    this.#columns.forEach((column, i) => {
      const value = pointed ? column[index] : latest(column)
      this.#values[i].textContent = figure(value, this.#spec.digits)
    })
  }

  /** What the picture shows, in words. */
  #sentence() {
    const { from, to } = this.#view
    const { title, digits, series } = this.#spec
    const parts = series.map(({ label }, i) => {
      const column = this.#columns[i]
      const range = extent(column)
      if (range === null) return `${label}: nothing yet`
      const [now, low, high] = [latest(column), range.low, range.high].map((value) => figure(value, digits))
      return `${label}: now ${now}, lowest ${low}, highest ${high}`
    })
    return `${title} from ${clock(from, false)} to ${clock(to, false)}. ${parts.join('. ')}.`
  }
}

const line = ({ label, color: name, filled }) => ({
  label,
  spanGaps: true,
  width: name === '--faint' ? 1 : 1.75,
  stroke: () => color(name),
  ...(filled && { fill: () => color(`${name}-fill`) }),
})
