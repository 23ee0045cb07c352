import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { Metrics } from '../../src/telemetry/metrics.js'

interface Panel {
  readonly id: number
  readonly title: string
  readonly description: string
  readonly type: string
  readonly datasource: { readonly uid: string }
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number }
  readonly fieldConfig: { readonly defaults: { readonly unit?: string } }
  readonly options?: { readonly yAxis?: { readonly unit?: string } }
  readonly targets: readonly { readonly expr: string; readonly refId: string }[]
}

const dashboard = JSON.parse(readFileSync(new URL('../../grafana/bcod.json', import.meta.url), 'utf8'))
const panels: readonly Panel[] = dashboard.panels
const { catalogue } = new Metrics()

/** Names of the series that a metric gives, with the labels that they have. */
const series = new Map(
  catalogue.flatMap(({ name, type, labels }) =>
    type === 'histogram'
      ? ['_bucket', '_sum', '_count'].map(
          (suffix) => [`${name}${suffix}`, suffix === '_bucket' ? [...labels, 'le'] : labels] as const,
        )
      : [[name, labels] as const],
  ),
)
const namesIn = (expr: string): readonly string[] => expr.match(/\bbcod_\w+/g) ?? []

describe('the dashboard', () => {
  it('asks for metrics that exist, in each expression of each panel', () => {
    for (const { title, targets } of panels) {
      expect(targets.length, title).toBeGreaterThan(0)
      for (const { expr } of targets) {
        expect(namesIn(expr), `${title}: ${expr}`).not.toEqual([])
        for (const name of namesIn(expr)) expect([...series.keys()], title).toContain(name)
      }
    }
    expect(catalogue.map(({ name }) => name)).toContain(namesIn(dashboard.templating.list[1].definition)[0])
  })

  it('selects and groups by labels that those metrics have', () => {
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const known = ['instance', ...namesIn(expr).flatMap((name) => series.get(name) ?? [])]
        const selected = [...expr.matchAll(/[{,](\w+)(?:=~|!=|=)"/g)].map((match) => match[1]!)
        const grouped = [...expr.matchAll(/(?:by|ignoring) \(([^)]*)\)/g)].flatMap((match) => match[1]!.split(/, */))
        for (const label of [...selected, ...grouped]) expect(known, `${title}: ${expr}`).toContain(label)
      }
    }
  })

  it('takes the rate of counters and histograms, never of gauges', () => {
    const counted = new Set(catalogue.filter(({ type }) => type !== 'gauge').map(({ name }) => name))
    const isCounted = (name: string) => counted.has(name) || counted.has(name.replace(/_(bucket|sum|count)$/, ''))
    for (const { title, targets } of panels) {
      for (const { expr } of targets) {
        const rated = [...expr.matchAll(/\b(?:rate|increase)\((bcod_\w+)/g)].map((match) => match[1])
        expect(rated, `${title}: ${expr}`).toEqual(namesIn(expr).filter(isCounted))
      }
    }
  })

  it('has for each panel an id, a unit, a sentence, and the data source of the variable', () => {
    expect(dashboard.schemaVersion).toBeGreaterThanOrEqual(39)
    expect(dashboard.templating.list[0]).toMatchObject({ name: 'datasource', type: 'datasource', query: 'prometheus' })
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length)
    for (const { title, description, datasource, fieldConfig, options, targets } of panels) {
      expect(description, title).toMatch(/^[A-Zδ].*[^.]\.$/)
      expect(fieldConfig.defaults.unit ?? options?.yAxis?.unit, title).toBeTypeOf('string')
      expect(datasource.uid, title).toMatch(/^\$\{datasource\}$/)
      expect(new Set(targets.map(({ refId }) => refId)).size, title).toBe(targets.length)
    }
  })

  it('lays its panels side by side without overlap', () => {
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
    )
    expect(new Set(cells).size).toBe(cells.length)
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24)
  })
})
