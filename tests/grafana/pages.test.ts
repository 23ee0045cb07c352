import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { dashboardFor, dashboardJson, pages } from '../../grafana/src/index.js'
import { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { knownSeries, labelsIn, namesIn, ratedIn, TARGET_LABELS } from '../support/series.js'

const series = await knownSeries()
const panelsOf = (name: string) => pages[name]!.rows.flatMap(({ panels }) => panels)

/** Grafana's `hide` of a variable that only links and queries know. */
const HIDDEN = 2

interface Placed {
  readonly id: number
  readonly type: string
  readonly title: string
  readonly description: string
  readonly datasource: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig: { readonly defaults: { readonly unit: string } }
  readonly targets: readonly { readonly refId: string; readonly expr: string; readonly datasource: { uid: string } }[]
}

/** As Grafana reads it. */
const read = (name: string) => JSON.parse(JSON.stringify(dashboardFor(pages[name]!)))
/** Rows and panels in reading order, with those of closed rows. */
const placed = (name: string): readonly Placed[] =>
  read(name).panels.flatMap((panel: Placed & { readonly panels?: readonly Placed[] }) => [
    panel,
    ...(panel.panels ?? []),
  ])

it('there are five pages, each with a uid of its own and links to the others', () => {
  expect(Object.keys(pages)).toEqual(['alignment', 'versions', 'gateway', 'feedback', 'machine'])
  const uids = Object.values(pages).map(({ uid }) => uid)
  expect(new Set(uids).size).toBe(5)
  for (const [name, { uid }] of Object.entries(pages)) {
    const links = read(name).links.map(({ url, keepTime, includeVars }: Record<string, unknown>) => {
      expect([keepTime, includeVars]).toEqual([true, true])
      return url
    })
    expect(links).toEqual(uids.filter((other) => other !== uid).map((other) => `/d/${other}`))
  }
})

/** Metrics that no panel shows, and why. */
const WITHOUT_PANEL: Readonly<Record<string, string>> = {
  bcod_guard_tripped: 'the alert BcodGuardTripped names the guard, and its pause is on Feedback',
  bcod_place_dropped_total: 'Places has since when a place is not used, and the log the reason',
  bcod_uncommitted_records: 'Feedback has the time that they have waited, which is what is wrong with them',
  bcod_unreadable_records_total: 'a batch is one dead letter, and Feedback has those by code',
  bcod_abandoned_votes_total: 'they come with a rollback, and Versions has those',
  bcod_execution_info: 'it stays as the lineage began, and the log and doctor say why',
  bcod_gateway_events_ignored_total: 'how many traces an SDK sends is the application’s choice, and they cost nothing',
}

it('every metric is on a panel, or there is a reason why not', () => {
  const shown = Object.keys(pages).flatMap((name) =>
    panelsOf(name).flatMap(({ queries }) => queries.flatMap(({ expr }) => namesIn(expr))),
  )
  const catalogue = [...new Metrics().catalogue, ...new GatewayMetrics().catalogue].map(({ name }) => name)
  const isShown = (name: string) => ['', '_bucket', '_sum', '_count'].some((part) => shown.includes(name + part))
  const hidden = new Set(catalogue.filter((name) => !isShown(name)))
  expect([...hidden].sort()).toEqual(Object.keys(WITHOUT_PANEL).sort())
})

describe.each(Object.keys(pages))('grafana/%s.json', (name) => {
  it('is what grafana/src says now (else: make dashboards)', () => {
    expect(readFileSync(new URL(`../../grafana/${name}.json`, import.meta.url), 'utf8')).toBe(dashboardJson(name))
  })

  it('asks for series that exist, selects and groups by labels that they have, and takes the rate of counters', () => {
    for (const { title, queries } of panelsOf(name)) {
      expect(queries.length, title).toBeGreaterThan(0)
      for (const { expr } of queries) {
        const names = namesIn(expr)
        expect(names, `${title}: ${expr}`).not.toEqual([])
        for (const each of names) expect([...series.keys()], title).toContain(each)
        const labels = [...TARGET_LABELS, ...names.flatMap((each) => series.get(each)?.labels ?? [])]
        for (const label of labelsIn(expr)) expect(labels, `${title}: ${expr}`).toContain(label)
        const counted = names.filter((each) => series.get(each)?.counted)
        expect(ratedIn(expr), `${title}: ${expr}`).toEqual(counted)
      }
    }
  })

  it('never takes the rate of a sum that can fall', () => {
    // rewards, log ratios: a negative observation lowers the sum, and rate() takes that for a restart
    for (const { queries } of panelsOf(name))
      for (const { expr } of queries) expect(expr).not.toMatch(/(implicit_reward|log_ratio)_sum/)
  })

  it('asks only for the chosen daemons, gateways or GPUs, over an interval that fits', () => {
    const { ofGateways } = pages[name]!
    const chosen = ofGateways ? /^\{job=~"\$gateway",instance=~"\$replica"/ : /^\{job=~"\$job",instance=~"\$instance"/
    for (const { queries } of panelsOf(name))
      for (const { expr } of queries) {
        for (const [, selector] of expr.matchAll(/\b(?:bcod|process|nodejs)_\w+(\{[^}]*\})?/g))
          expect(selector, expr).toMatch(chosen)
        for (const [, selector] of expr.matchAll(/\bDCGM_\w+(\{[^}]*\})?/g))
          expect(selector, expr).toBe('{instance=~"$gpu"}')
        for (const [, interval] of expr.matchAll(/\[([^\]]*)\]/g)) expect(interval, expr).toBe('$__rate_interval')
      }
  })

  it('lets its reader choose what it asks with, and hands on what other pages ask with', () => {
    const { templating, annotations } = read(name)
    const shown = pages[name]!.ofGateways ? ['gateway', 'replica'] : ['job', 'instance', 'gpu']
    const variables = templating.list as { name: string; hide: number }[]
    expect(variables.map((variable) => variable.name)).toEqual([
      ...['datasource', 'job', 'instance', 'gpu', 'gateway', 'replica'],
    ])
    expect(variables.filter(({ hide }) => hide !== HIDDEN).map((variable) => variable.name)).toEqual([
      ...['datasource', ...shown],
    ])
    for (const { name: variable, query, datasource } of templating.list.slice(1)) {
      expect(datasource.uid, variable).toBe('$datasource')
      for (const each of namesIn(query.query)) expect([...series.keys()], variable).toContain(each)
    }
    // versions are many, and shown to who asks for them
    const [rollbacks, versions] = annotations.list
    expect(rollbacks).toMatchObject({ enable: true, datasource: { uid: '$datasource' } })
    expect(new Set(namesIn(rollbacks.expr))).toEqual(new Set(['bcod_rollbacks_total']))
    expect(versions).toMatchObject({ enable: false, datasource: { uid: '$datasource' } })
    expect(new Set(namesIn(versions.expr))).toEqual(new Set(['bcod_adapter_version']))
  })

  it('says of each panel what it shows and what good and bad look like, and has its unit', () => {
    for (const { type, title, description, fieldConfig } of placed(name).filter((panel) => panel.type !== 'row')) {
      expect(['timeseries', 'heatmap', 'state-timeline', 'stat'], title).toContain(type)
      expect(description, title).toMatch(/^[A-Z1-9l].*\. Good: .*\. Bad: .*\.$/)
      expect(fieldConfig.defaults.unit, title).toBeTypeOf('string')
    }
    const titles = placed(name).map(({ title }) => title)
    expect(new Set(titles).size).toBe(titles.length)
  })

  it('gives each panel an id, each query a refId and both the data source', () => {
    const panels = placed(name)
    expect(panels.map(({ id }) => id)).toEqual(panels.map((_, index) => index + 1))
    for (const { title, targets, datasource } of panels.filter((panel) => panel.type !== 'row')) {
      expect(datasource.uid, title).toBe('$datasource')
      expect(targets.map(({ refId }) => refId)).toEqual(['A', 'B', 'C'].slice(0, targets.length))
      for (const target of targets) expect(target.datasource.uid, title).toBe('$datasource')
    }
  })

  it('lays its panels side by side without overlap', () => {
    const panels = placed(name)
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
  })
})
