// Prometheus' answers as Grafana's data frames, and its panel options for them.
import { FieldType, Registry } from '@grafana/data'

const SCRAPE_SECONDS = 15

/** Seconds between two points: one a pixel, but no finer than the scrapes. */
export const stepOf = (from, to, width) => {
  const fits = (to - from) / 1000 / Math.max(width, 1)
  return Math.max(SCRAPE_SECONDS, Math.ceil(fits / SCRAPE_SECONDS) * SCRAPE_SECONDS)
}

/** One frame a series; heat maps get one of all buckets, no longer cumulative. */
export function framesOf({ type, targets }, answers) {
  if (type === 'heatmap') return bucketsOf(answers[0])
  return answers.flatMap(({ result, step }, index) =>
    result.map(({ metric, values }) =>
      frameOf(targets[index].refId, [{ name: titled(targets[index].legendFormat, metric), metric, values }], step),
    ),
  )
}

const titled = (legend, metric) => legend.replaceAll(/\{\{\s*(\w+)\s*\}\}/g, (_, label) => metric[label] ?? '')

function frameOf(refId, series, step) {
  const times = series[0].values.map(([time]) => time * 1000)
  const time = { name: 'Time', type: FieldType.time, config: { interval: step * 1000 }, values: times }
  const fields = series.map(({ name, metric, values }) => ({
    ...{ name: 'Value', type: FieldType.number, labels: metric, config: { displayNameFromDS: name } },
    values: values.map(([, value]) => (value === 'NaN' ? null : Number(value))),
  }))
  return { refId, length: times.length, fields: [time, ...fields] }
}

function bucketsOf({ result, step }) {
  if (result.length === 0) return []
  const bound = ({ metric }) => (metric.le === '+Inf' ? Number.POSITIVE_INFINITY : Number(metric.le))
  const sorted = [...result].sort((a, b) => bound(a) - bound(b))
  const counts = new Map(
    sorted.map((each) => [each, new Map(each.values.map(([time, value]) => [time, Number(value)]))]),
  )
  const series = sorted.map(({ metric, values }, index) => {
    const below = counts.get(sorted[index - 1])
    const own = values.map(([time, value]) => [time, String(Math.max(0, Number(value) - (below?.get(time) ?? 0)))])
    return { name: metric.le, metric, values: own }
  })
  return [frameOf('A', series, step)]
}

/** What Grafana's panels have where the page says nothing. */
const CUSTOM = {
  ...{ drawStyle: 'line', lineInterpolation: 'linear', gradientMode: 'none', axisPlacement: 'auto', axisLabel: '' },
  ...{ axisColorMode: 'text', axisBorderShow: false, axisCenteredZero: false, barAlignment: 0, pointSize: 5 },
  ...{ lineWidth: 1, fillOpacity: 0, showPoints: 'auto', spanNulls: false, insertNulls: false },
  ...{
    stacking: { group: 'A', mode: 'none' },
    scaleDistribution: { type: 'linear' },
    thresholdsStyle: { mode: 'off' },
  },
  hideFrom: { legend: false, tooltip: false, viz: false },
}

export function overrides({ type, fieldConfig }) {
  const { defaults, overrides: rules } = fieldConfig
  const color = { mode: type === 'timeseries' ? 'palette-classic' : 'thresholds' }
  const thresholds = {
    mode: 'absolute',
    steps: [
      { value: Number.NEGATIVE_INFINITY, color: 'green' },
      { value: 80, color: 'red' },
    ],
  }
  const whole = { color, thresholds, ...defaults, custom: { ...CUSTOM, ...defaults.custom } }
  return { defaults: { ...whole, thresholds: begun(whole.thresholds) }, overrides: rules }
}

const begun = ({ mode, steps }) => ({
  mode,
  steps: steps.map(({ value, color }) => ({ value: value ?? Number.NEGATIVE_INFINITY, color })),
})

const item = (path, process = (value) => value) => ({
  ...{ id: path, path, name: path, process, shouldApply: () => true },
})
const custom = (path) => ({ ...item(path), id: `custom.${path}`, isCustom: true })
const registry = new Registry(() => [
  ...['unit', 'decimals', 'min', 'max', 'displayName', 'noValue', 'color', 'mappings', 'links'].map((path) =>
    item(path),
  ),
  item('thresholds', begun),
  ...[...Object.keys(CUSTOM), 'axisSoftMin', 'axisSoftMax', 'lineStyle'].map(custom),
])
overrides.registry = registry
