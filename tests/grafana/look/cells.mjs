// Heat maps and state timelines, which Grafana's libraries do not have, with its theme and its scales.
import { formattedValueToString, getFieldDisplayName, getValueFormat } from '@grafana/data'
import { interpolateOranges } from 'd3-scale-chromatic'
import { createElement as h, useLayoutEffect, useRef } from 'react'

const FONT = 12
const BOTTOM = 24
const clock = (time) => new Date(time).toISOString().slice(11, 16)

/** A canvas that is as sharp as the screen, with the time axis at its bottom. */
function Canvas({ width, height, theme, from, to, labels, draw }) {
  const canvas = useRef(null)
  useLayoutEffect(() => {
    const scale = window.devicePixelRatio
    Object.assign(canvas.current, { width: width * scale, height: height * scale })
    const context = canvas.current.getContext('2d')
    context.scale(scale, scale)
    context.font = `${FONT}px ${theme.typography.fontFamily}`
    context.fillStyle = theme.colors.text.primary
    const left = 10 + Math.max(...labels.map(({ text }) => context.measureText(text).width))
    const area = { left, top: 4, width: width - left - 8, height: height - BOTTOM - 4 }
    context.textAlign = 'right'
    context.textBaseline = 'middle'
    for (const { text, at } of labels) context.fillText(text, left - 6, area.top + at * area.height)
    context.textAlign = 'center'
    const every = [5, 10, 15, 30, 60].find((minutes) => ((to - from) / 60_000 / minutes) * 60 < area.width) ?? 120
    const x = (time) => area.left + ((time - from) / (to - from)) * area.width
    for (let time = Math.ceil(from / every / 60_000) * every * 60_000; time < to; time += every * 60_000)
      context.fillText(clock(time), x(time), height - FONT)
    draw(context, area, x)
  })
  return h('canvas', { ref: canvas, style: { width, height } })
}

/** One row a series; a value lasts until the next one, as it does there where values are merged. */
export function StateTimeline({ frames, theme, ...place }) {
  const rows = frames.map((frame) => ({ field: frame.fields[1], times: frame.fields[0].values, frame }))
  const labels = rows.map(({ field, frame }, index) => ({
    text: getFieldDisplayName(field, frame, frames),
    at: (index + 0.5) / rows.length,
  }))
  const draw = (context, area, x) => {
    const height = area.height / rows.length
    rows.forEach(({ field, times }, index) => {
      const step = field.config.interval ?? 15_000
      times.forEach((time, at) => {
        context.globalAlpha = 0.7
        context.fillStyle = theme.visualization.getColorByName(field.display(field.values[at]).color)
        const end = Math.min(times[at + 1] ?? time + step, time + 2 * step)
        const left = Math.max(area.left, x(time))
        context.fillRect(left, area.top + (index + 0.05) * height, x(end) - left + 0.5, 0.9 * height)
      })
    })
  }
  return h(Canvas, { ...place, theme, labels, draw })
}

/** One row a bucket, with its upper bound. */
export function Heatmap({ frames, panel, theme, from, ...place }) {
  const [time, ...buckets] = frames[0].fields
  const format = getValueFormat(panel.options.yAxis.unit ?? 'short')
  const every = Math.ceil((buckets.length * FONT * 1.4) / Math.max(1, place.height - BOTTOM))
  const labels = buckets.flatMap(({ labels: { le } }, index) =>
    index % every === 0 && le !== '+Inf'
      ? [{ text: formattedValueToString(format(Number(le))), at: 1 - (index + 1) / buckets.length }]
      : [],
  )
  const most = Math.max(...buckets.flatMap(({ values }) => values))
  const draw = (context, area, x) => {
    const height = area.height / buckets.length
    const width = x(from + 15_000) - x(from)
    buckets.forEach(({ values }, index) => {
      values.forEach((value, at) => {
        if (value <= 1e-9) return
        context.fillStyle = interpolateOranges((value / most) ** panel.options.color.exponent)
        const top = area.top + area.height - (index + 1) * height
        context.fillRect(x(time.values[at]) - width, top, Math.max(1, width - 1), Math.max(1, height - 1))
      })
    })
  }
  return h(Canvas, { ...place, from, theme, labels, draw })
}
