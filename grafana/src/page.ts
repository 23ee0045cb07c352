import type * as cog from '@grafana/grafana-foundation-sdk/cog'
import {
  BigValueColorMode,
  BigValueTextMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  HeatmapCellLayout,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
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
import { type Bounds, of, type PageSpec, type PanelSpec } from './panel.js'

const SOURCE = { type: 'prometheus', uid: '$datasource' }
const WIDTH = 24
const QUARTER = 6
const HEIGHT = 7

/**
 * A page as Grafana imports it: rows of panels, four abreast, or fewer that are wide; the variables datasource, job, instance and gpu; the live
 * adapter's versions as annotations; links to every other page. Ids count from 1 in reading order, refIds from A.
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
    .variables([...chosenDaemons(), chosenGpus()])
    .annotations([adapterVersions()])
    .links(all.filter(({ uid }) => uid !== page.uid).map(linkTo))
  let id = 1
  let y = 0
  for (const row of page.rows) {
    builder.withRow(new dashboard.RowBuilder(row.title).id(id++).gridPos({ x: 0, y: y++, w: WIDTH, h: 1 }))
    let x = 0
    for (const panel of row.panels) {
      const w = panel.wide ? 2 * QUARTER : QUARTER
      if (x + w > WIDTH) {
        x = 0
        y += HEIGHT
      }
      builder.withPanel(builderOf(panel).id(id++).gridPos({ x, y, w, h: HEIGHT }))
      x += w
    }
    y += HEIGHT
  }
  const { links = [], annotations, ...rest } = builder.build()
  // the SDK puts both into a menu; they belong in sight
  const list = annotations?.list?.map(({ placement: _, ...annotation }) => annotation) ?? []
  return { ...rest, annotations: { list }, links: links.map(({ placement: _, ...link }) => link) }
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
  lines: ({ unit, bounds }) => {
    const builder = new timeseries.PanelBuilder()
      .unit(unit)
      .lineWidth(1)
      .fillOpacity(0)
      .showPoints(VisibilityMode.Never)
      .spanNulls(false)
      .legend(
        new VizLegendOptionsBuilder()
          .displayMode(LegendDisplayMode.List)
          .placement(LegendPlacement.Bottom)
          .showLegend(true),
      )
      .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    if (bounds === undefined) return builder
    return builder
      .thresholds(thresholds(steps(bounds)))
      .thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed))
  },
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
  figure: ({ unit }) =>
    new stat.PanelBuilder()
      .unit(unit)
      .textMode(BigValueTextMode.Auto)
      .colorMode(BigValueColorMode.None)
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).fields('').values(false)),
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

function chosenDaemons(): cog.Builder<dashboard.VariableModel>[] {
  return [
    new dashboard.DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
    labelValues('job', 'Job', 'label_values(bcod_build_info, job)'),
    labelValues('instance', 'Instance', 'label_values(bcod_build_info{job=~"$job"}, instance)'),
  ]
}

/** NVIDIA's DCGM exporter is scraped under a job and an instance of its own. */
const chosenGpus = () => labelValues('gpu', 'GPU exporter', 'label_values(DCGM_FI_DEV_GPU_UTIL, instance)')

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
    .allValue('.*')
}

/** Each new live version as a line through the panels, with its number; a version is the value, never a label. */
function adapterVersions(): dashboard.AnnotationQueryBuilder {
  const version = of('bcod_adapter_version')
  return new dashboard.AnnotationQueryBuilder()
    .name('Adapter versions')
    .datasource(SOURCE)
    .enable(true)
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
