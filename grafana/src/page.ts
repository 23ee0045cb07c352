import type * as cog from '@grafana/grafana-foundation-sdk/cog'
import {
  BigValueColorMode,
  BigValueGraphMode,
  BigValueTextMode,
  GraphDrawStyle,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCellLayout,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common'
import * as dashboard from '@grafana/grafana-foundation-sdk/dashboard'
import * as heatmap from '@grafana/grafana-foundation-sdk/heatmap'
import * as prometheus from '@grafana/grafana-foundation-sdk/prometheus'
import * as stat from '@grafana/grafana-foundation-sdk/stat'
import * as statetimeline from '@grafana/grafana-foundation-sdk/statetimeline'
import * as timeseries from '@grafana/grafana-foundation-sdk/timeseries'
import { type Bounds, of, type PageSpec, type PanelSpec, type RowSpec, type Unit } from './panel.js'

const SOURCE = { type: 'prometheus', uid: '$datasource' }
const WIDTH = 24
const QUARTER = 6
const HEIGHT = 7

/**
 * A page as Grafana imports it: rows of panels, four abreast, or fewer that are wide; the variables of
 * its reader's choice; rollbacks and the live adapter's versions as annotations; links to every other page. Ids count from 1
 * in reading order, refIds from A.
 */
export function dashboardOf(page: PageSpec, all: readonly PageSpec[]): dashboard.Dashboard {
  const builder = new dashboard.DashboardBuilder(page.title)
    .uid(page.uid)
    .description(page.description)
    .tags(['bcod'])
    .editable()
    .timezone('browser')
    .time({ from: 'now-6h', to: 'now' })
    .refresh('30s')
    .tooltip(dashboard.DashboardCursorSync.Crosshair)
    .variables(variablesOf(page))
    .annotations([rollbacks(), adapterVersions()])
    .links(all.filter(({ uid }) => uid !== page.uid).map(linkTo))
  let id = 1
  let y = 0
  for (const row of page.rows) {
    const opened = new dashboard.RowBuilder(row.title).id(id++).gridPos({ x: 0, y: y++, w: WIDTH, h: 1 })
    const { panels, height } = laidOut(row, y)
    const built = panels.map(({ panel, place }) => builderOf(panel).id(id++).gridPos(place))
    if (row.collapsed) for (const panel of built) opened.collapsed(true).withPanel(panel)
    builder.withRow(opened)
    if (!row.collapsed) for (const panel of built) builder.withPanel(panel)
    y += height
  }
  const { links = [], annotations, ...rest } = builder.build()
  // the SDK puts both into a menu; they belong in sight
  const list = annotations?.list?.map(({ placement: _, ...annotation }) => annotation) ?? []
  return { ...rest, annotations: { list }, links: links.map(({ placement: _, ...link }) => link) }
}

/** The panels of a row from left to right, and below what is full. */
function laidOut({ panels }: RowSpec, top: number) {
  let x = 0
  let y = top
  const placed = panels.map((panel) => {
    const w = panel.wide ? 2 * QUARTER : QUARTER
    if (x + w > WIDTH) {
      x = 0
      y += HEIGHT
    }
    const place = { x, y, w, h: HEIGHT }
    x += w
    return { panel, place }
  })
  return { panels: placed, height: y + HEIGHT - top }
}

type AnyPanelBuilder = timeseries.PanelBuilder | heatmap.PanelBuilder | statetimeline.PanelBuilder | stat.PanelBuilder

function builderOf(panel: PanelSpec): AnyPanelBuilder {
  const builder = DRAWN_AS[panel.kind](panel)
  const format = panel.kind === 'heatmap' ? prometheus.PromQueryFormat.Heatmap : prometheus.PromQueryFormat.TimeSeries
  return builder
    .title(panel.title)
    .description(`${panel.shows} Good: ${panel.good} Bad: ${panel.bad}`)
    .datasource(SOURCE)
    .targets(
      panel.queries.map(({ expr, legend }, index) =>
        new prometheus.DataqueryBuilder()
          .datasource(SOURCE)
          .refId(String.fromCharCode(65 + index))
          .expr(expr)
          .legendFormat(legend)
          .editorMode(prometheus.QueryEditorMode.Code)
          .format(format)
          .range(),
      ),
    )
}

const DRAWN_AS: Readonly<Record<PanelSpec['kind'], (panel: PanelSpec) => AnyPanelBuilder>> = {
  lines: (panel) =>
    graph(panel)
      .lineWidth(1)
      .fillOpacity(0)
      .showPoints(panel.sparse ? VisibilityMode.Auto : VisibilityMode.Never)
      .spanNulls(panel.sparse ?? false),
  bars: (panel) =>
    graph(panel)
      .drawStyle(GraphDrawStyle.Bars)
      .lineWidth(0)
      .fillOpacity(80)
      .stacking(new StackingConfigBuilder().mode(StackingMode.Normal).group('A')),
  heatmap: ({ unit }) =>
    new heatmap.PanelBuilder()
      .unit(unit)
      .calculate(false)
      .color(
        new heatmap.HeatmapColorOptionsBuilder()
          .mode(heatmap.HeatmapColorMode.Scheme)
          .scheme('Oranges')
          .fill('dark-orange')
          .exponent(0.5)
          .steps(64)
          .reverse(false),
      )
      .rowsFrame(new heatmap.RowsHeatmapOptionsBuilder().layout(HeatmapCellLayout.Auto))
      .yAxis(new heatmap.YAxisConfigBuilder().unit(unit))
      .cellGap(1)
      .tooltip(new heatmap.HeatmapTooltipBuilder().mode(TooltipDisplayMode.Single).showColorScale(true)),
  states: ({ unit, below = 'transparent', colours = {} }) => {
    const builder = new statetimeline.PanelBuilder()
      .unit(unit)
      .mergeValues(true)
      .showValue(VisibilityMode.Never)
      .legend(new VizLegendOptionsBuilder().showLegend(false))
      .thresholds(thresholds(fromOne(below, 'green')))
    for (const [begin, colour] of Object.entries(colours))
      builder.overrideByRegexp(`/^${begin}/`, [{ id: 'thresholds', value: thresholds(fromOne(below, colour)).build() }])
    return builder
  },
  figure: (panel) => big(panel, BigValueTextMode.Auto),
  name: (panel) => big(panel, BigValueTextMode.Name),
}

const big = ({ unit }: PanelSpec, text: BigValueTextMode) =>
  new stat.PanelBuilder()
    .unit(unit)
    .graphMode(BigValueGraphMode.None)
    .textMode(text)
    .colorMode(BigValueColorMode.None)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false))

function graph({ unit, bounds, wide, top = TOP[unit], colours = {} }: PanelSpec): timeseries.PanelBuilder {
  const legend = wide
    ? new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Right)
        .calcs(['lastNotNull', 'max'])
        .sortBy('Max')
        .sortDesc(true)
    : new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom)
  const builder = new timeseries.PanelBuilder()
    .unit(unit)
    .legend(legend.showLegend(true))
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
  for (const [begin, fixedColor] of Object.entries(colours))
    builder.overrideByRegexp(`/^${begin}/`, [{ id: 'color', value: { mode: 'fixed', fixedColor } }])
  if (top !== undefined) builder.axisSoftMin(0).axisSoftMax(top)
  if (bounds === undefined) return builder
  return builder
    .thresholds(thresholds(steps(bounds)))
    .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed))
}

/** Without it, Grafana draws what is 0 on an axis to 100, or to 10000 %, and a hair's breadth over the whole panel. */
const TOP: Partial<Record<Unit, number>> = {
  short: 1,
  s: 1,
  cps: 0.1,
  reqps: 0.1,
  percentunit: 1,
  percent: 100,
  bytes: 1,
}

const thresholds = (colours: dashboard.Threshold[]) =>
  new dashboard.ThresholdsConfigBuilder().mode(dashboard.ThresholdsMode.Absolute).steps(colours)

const fromOne = (below: string, color: string): dashboard.Threshold[] => [
  { value: null, color: below },
  { value: 1, color },
]

/** Colours from the lowest value up: each begins at its value, the first one below all. */
function steps({ above, look, wrong }: Bounds): dashboard.Threshold[] {
  const colours: readonly (readonly [from: number | undefined, color: string])[] = above
    ? [
        [look, 'orange'],
        [wrong, 'red'],
      ]
    : [
        [wrong, 'orange'],
        [look, 'green'],
      ]
  const lowest = above ? 'green' : wrong === undefined ? 'orange' : 'red'
  const begun = colours.flatMap(([value, color]) => (value === undefined ? [] : [{ value, color }]))
  return [{ value: null, color: lowest }, ...begun]
}

/**
 * What the reader chooses. Links take all choices along, so each page has all variables, and shows those that it asks
 * with. NVIDIA's DCGM exporter is scraped under a job and an instance of its own.
 */
function variablesOf({ ofGateways = false }: PageSpec): cog.Builder<dashboard.VariableModel>[] {
  const daemons = [
    // gateways and other programs have metrics of their processes too: all jobs are those of daemons
    labelValues('job', 'Job', 'label_values(bcod_lifecycle_state, job)'),
    labelValues('instance', 'Instance', 'label_values(bcod_lifecycle_state{job=~"$job"}, instance)').allValue('.*'),
    labelValues('gpu', 'GPU exporter', 'label_values(DCGM_FI_DEV_GPU_UTIL, instance)').allValue('.*'),
  ]
  const gateways = [
    labelValues('gateway', 'Gateway', 'label_values(bcod_gateway_upstream_up, job)'),
    labelValues('replica', 'Replica', 'label_values(bcod_gateway_upstream_up{job=~"$gateway"}, instance)').allValue(
      '.*',
    ),
  ]
  for (const unused of ofGateways ? daemons : gateways) unused.hide(dashboard.VariableHide.HideVariable)
  return [
    new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    ...daemons,
    ...gateways,
  ]
}

function labelValues(name: string, label: string, query: string): dashboard.QueryVariableBuilder {
  return new dashboard.QueryVariableBuilder(name)
    .label(label)
    .datasource(SOURCE)
    .query({ query, refId: name })
    .definition(query)
    .refresh(dashboard.VariableRefresh.OnTimeRangeChanged)
    .sort(dashboard.VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
}

/** Each rollback as a line through the panels. */
function rollbacks(): dashboard.AnnotationQueryBuilder {
  return new dashboard.AnnotationQueryBuilder()
    .name('Rollbacks')
    .datasource(SOURCE)
    .enable(true)
    .iconColor('red')
    .expr(`changes(${of('bcod_rollbacks_total')}[1m]) > 0`)
    .step('60s')
    .titleFormat('rollback: {{cause}}')
    .textFormat('{{instance}}')
}

/**
 * Each new live version likewise, with its number; a version is the value, never a label. There can be two a minute: they
 * hide what they explain unless somebody asks for them.
 */
function adapterVersions(): dashboard.AnnotationQueryBuilder {
  const version = of('bcod_adapter_version')
  return new dashboard.AnnotationQueryBuilder()
    .name('Adapter versions')
    .datasource(SOURCE)
    .enable(false)
    .iconColor('purple')
    .expr(`count_values by (job, instance) ("version", ${version} and changes(${version}[1m]) > 0)`)
    .step('60s')
    .titleFormat('adapter {{version}}')
    .textFormat('{{instance}}')
}

function linkTo({ uid, title, description }: PageSpec): dashboard.DashboardLinkBuilder {
  return new dashboard.DashboardLinkBuilder(title)
    .type(dashboard.DashboardLinkType.Link)
    .url(`/d/${uid}`)
    .icon('dashboard')
    .tooltip(description)
    .includeVars(true)
    .keepTime(true)
}
