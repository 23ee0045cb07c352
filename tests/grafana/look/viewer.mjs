// Draws a page of grafana/*.json in the browser with Grafana's own libraries: theme, panel frames, units, thresholds,
// overrides, colours, legends, graphs and figures are theirs. Heat maps and state timelines, which are not in its
// libraries, are drawn by cells.mjs. The address gives page, theme, from and to (milliseconds), and Prometheus.
import { applyFieldOverrides, createTheme, dateTime, getFieldDisplayValues, ThemeContext } from '@grafana/data'
import { BigValue, GlobalStyles, PanelChrome, PortalContainer, TimeSeries, VizRepeater } from '@grafana/ui'
import { createElement as h, useLayoutEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'
import { Heatmap, StateTimeline } from './cells.mjs'
import { framesOf, overrides, stepOf } from './frames.mjs'

const asked = new URLSearchParams(location.search)
const [from, to] = [Number(asked.get('from')), Number(asked.get('to'))]
const theme = createTheme({ colors: { mode: asked.get('theme') ?? 'dark' } })
const timeRange = { from: dateTime(from), to: dateTime(to), raw: { from: 'now-1h', to: 'now' } }
const COLUMNS = 24
/** Of Grafana's grid, in pixels. */
const [CELL, GAP, MARGIN] = [30, 8, 16]

const DRAWN = {
  timeseries: ({ frames, width, height, panel, annotations }) =>
    h(
      TimeSeries,
      { frames, width, height, timeRange, timeZone: 'utc', legend: panel.options.legend },
      annotations && ((config) => h(AnnotationLines, { config, times: annotations })),
    ),
  stat: ({ frames, width, height, panel }) =>
    h(VizRepeater, {
      ...{ width, height, orientation: panel.options.orientation, itemSpacing: 3, autoGrid: true, source: frames },
      getValues: () => figuresOf(frames, panel),
      renderValue: ({ value, width, height, count }) => {
        const { display, sparkline } = value
        const { colorMode, graphMode, justifyMode, textMode } = panel.options
        return h(BigValue, {
          ...{ value: display, count, width, height, colorMode, graphMode, theme, justifyMode, textMode },
          sparkline: graphMode === 'none' ? undefined : sparkline,
        })
      },
    }),
  heatmap: (drawn) => h(Heatmap, { ...drawn, theme, from, to }),
  'state-timeline': (drawn) => h(StateTimeline, { ...drawn, theme, from, to }),
}

const figuresOf = (frames, { options, fieldConfig }) =>
  getFieldDisplayValues({
    ...{ fieldConfig, reduceOptions: options.reduceOptions, data: frames, theme, timeZone: 'utc' },
    ...{ replaceVariables: (text) => text, sparkline: true },
  })

function AnnotationLines({ config, times }) {
  useLayoutEffect(() => {
    config.addHook('draw', ({ ctx, bbox, valToPos }) => {
      ctx.save()
      ctx.strokeStyle = theme.visualization.getColorByName('red')
      ctx.setLineDash([5, 5])
      for (const time of times) {
        const x = Math.round(valToPos(time, 'x', true))
        ctx.beginPath()
        ctx.moveTo(x, bbox.top)
        ctx.lineTo(x, bbox.top + bbox.height)
        ctx.stroke()
      }
      ctx.restore()
    })
  }, [config, times])
  return null
}

async function rangeOf(expr, width) {
  const step = stepOf(from, to, width)
  const filled = expr
    .replaceAll('$__rate_interval', `${Math.max(step + 15, 60)}s`)
    .replaceAll('$job', 'bcod')
    .replaceAll('$gateway', 'bcod-gateway')
    .replaceAll(/\$(instance|gpu|replica)/g, '.*')
  const query = new URLSearchParams({ query: filled, start: from / 1000, end: to / 1000, step })
  const { status, data, error } = await (await fetch(`${asked.get('prometheus')}/api/v1/query_range?${query}`)).json()
  if (status !== 'success') throw new Error(`${filled}: ${error}`)
  return { result: data.result, step }
}

function Panel({ panel, annotations, width, height }) {
  const [answers, setAnswers] = useState(null)
  useLayoutEffect(() => {
    Promise.all(panel.targets.map(({ expr }) => rangeOf(expr, width))).then(setAnswers, (error) => setAnswers(error))
  }, [panel, width])
  const isDone = answers !== null
  const raw = Array.isArray(answers) ? framesOf(panel, answers) : []
  const frames = applyFieldOverrides({
    ...{ data: raw, fieldConfig: overrides(panel), theme, timeZone: 'utc', replaceVariables: (text) => text },
    fieldConfigRegistry: overrides.registry,
  })
  const draw = (innerWidth, innerHeight) =>
    raw.length === 0
      ? h('div', { className: 'no-data' }, answers instanceof Error ? answers.message : isDone ? 'No data' : '')
      : DRAWN[panel.type]({ frames, panel, annotations, width: innerWidth, height: innerHeight })
  const { title, description } = panel
  return h(
    'div',
    { 'data-panel': title, 'data-done': isDone },
    h(PanelChrome, { title, description, width, height }, draw),
  )
}

function Page({ dashboard, annotations }) {
  const unit = (window.innerWidth - 2 * MARGIN + GAP) / COLUMNS
  const place = ({ x, y, w, h: rows }) => ({
    position: 'absolute',
    left: MARGIN + x * unit,
    top: y * (CELL + GAP),
    width: w * unit - GAP,
    height: rows * (CELL + GAP) - GAP,
  })
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h))
  return h(
    'div',
    { id: 'page', style: { background: theme.colors.background.canvas } },
    h(
      'header',
      null,
      h('h4', null, dashboard.title),
      ...dashboard.links.map(({ title }) => h('span', { key: title }, title)),
    ),
    h(
      'main',
      { style: { position: 'relative', height: bottom * (CELL + GAP) + MARGIN } },
      dashboard.panels.map((panel) => {
        const style = place(panel.gridPos)
        if (panel.type === 'row') return h('h6', { key: panel.id, style }, `⌄ ${panel.title}`)
        return h(
          'div',
          { key: panel.id, style },
          h(Panel, { panel, annotations, width: style.width, height: style.height }),
        )
      }),
    ),
  )
}

const dashboard = await (await fetch(`/dashboards/${asked.get('page')}.json`)).json()
const [lines] = dashboard.annotations.list
let annotations = null
if (lines.enable) {
  const { result } = await rangeOf(lines.expr, window.innerWidth)
  annotations = [...new Set(result.flatMap(({ values }) => values.map(([time]) => time * 1000)))]
}
// a canvas does not redraw when a font arrives
await document.fonts.load('12px Inter')
createRoot(document.getElementById('root')).render(
  h(ThemeContext.Provider, { value: theme }, h(GlobalStyles), h(Page, { dashboard, annotations }), h(PortalContainer)),
)
