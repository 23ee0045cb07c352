import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { pages } from '../../grafana/src/index.js'
import { promtool, withoutPrometheus } from '../support/prometheus.js'
import { knownSeries, labelsIn, namesIn, ratedIn, TARGET_LABELS } from '../support/series.js'
import { CASES, FRESH, IDLE, type Samples, SOUND } from './alert-cases.js'
import { type AlertRule, alerts, manifest } from './rules.js'

const series = await knownSeries()
const runbook = readFileSync('docs/runbook.md', 'utf8')
const directory = mkdtempSync(join(tmpdir(), 'bcod-alerts-'))
/** A rule file of these alerts alone. */
function ruleFile(name: string, rules: readonly AlertRule[]): string {
  const path = join(directory, `${name}.json`)
  writeFileSync(path, JSON.stringify({ groups: [{ name, rules }] })) // JSON is YAML
  return path
}
const all = ruleFile('all', alerts())
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** As GitHub makes anchors of headings. */
const anchors = [...runbook.matchAll(/^## (.+)$/gm)].map(([, heading]) => heading!.toLowerCase().replaceAll(' ', '-'))
const sectionOf = (anchor: string) =>
  runbook.split(/^## /m).find((section) => section.split('\n')[0]!.toLowerCase() === anchor) ?? ''

describe('the PrometheusRule', () => {
  it('is named bcod, and has every alert once', () => {
    expect(manifest()).toMatchObject({
      apiVersion: 'monitoring.coreos.com/v1',
      kind: 'PrometheusRule',
      metadata: { name: 'bcod' },
    })
    const names = alerts().map(({ alert }) => alert)
    expect(new Set(names).size).toBe(names.length)
    expect(Object.keys(CASES).sort()).toEqual([...names].sort())
  })

  it.each(alerts())('$alert asks for series and labels that exist, and takes the rate of counters', ({ expr }) => {
    const names = namesIn(expr)
    for (const name of names) expect([...series.keys()], expr).toContain(name)
    const labels = [...TARGET_LABELS, ...names.flatMap((name) => series.get(name)?.labels ?? [])]
    for (const label of labelsIn(expr)) expect(labels, expr).toContain(label)
    for (const name of ratedIn(expr)) expect(series.get(name)?.counted, `${name} is a counter`).toBe(true)
  })

  it.each(alerts())('$alert has duration, severity, summary, description, and a section of the runbook', (rule) => {
    expect(rule.alert).toMatch(/^Bcod[A-Z]/)
    expect(rule.for).toMatch(/^\d+[mh]$/)
    expect(['critical', 'warning', 'info']).toContain(rule.labels.severity)
    const { summary, description, runbook_url: url } = rule.annotations
    expect(summary).toMatch(/^[A-Z]|^bcod/)
    expect(description).toMatch(/\.$/)
    expect(url).toBe(`docs/runbook.md#${rule.alert.toLowerCase()}`)
    expect(anchors).toContain(rule.alert.toLowerCase())
    const section = sectionOf(rule.alert.toLowerCase())
    for (const part of ['**You see.**', '**Means.**', '**Do.**', '**Roll back.**']) expect(section).toContain(part)
  })
})

it('the runbook points at panels that are there', () => {
  const panels = Object.values(pages).flatMap(({ title, rows }) =>
    rows.flatMap((row) => row.panels.map((panel) => `${title}: ${panel.title}`)),
  )
  const named = [...runbook.matchAll(/_(\w+: [^_]+)_/g)].map((match) => `bcod: ${match[1]}`)
  expect(named.length).toBeGreaterThan(20)
  for (const panel of named) expect(panels).toContain(panel)
})

/** What promtool says where not `fires` alerts fire at each of the times; else nothing. */
function failure(rules: string, samples: Samples, at: readonly string[], fires: number): string {
  const file = join(directory, 'tests.json')
  const expr = 'count(ALERTS{alertstate="firing"})'
  const exp_samples = fires === 0 ? [] : [{ labels: '{}', value: fires }]
  const test = {
    interval: '1m',
    input_series: Object.entries(samples).map(([name, values]) => ({ series: targeted(name), values })),
    promql_expr_test: at.map((eval_time) => ({ expr, eval_time, exp_samples })),
  }
  const document = { rule_files: [rules], evaluation_interval: '1m', tests: [test] }
  writeFileSync(file, JSON.stringify(document))
  const { code, output } = promtool(['test', 'rules', file])
  return code === 0 ? '' : output
}

/** The series as a scrape of a pod gives it. */
function targeted(name: string): string {
  const [, metric, labels = ''] = /^(\w+)(?:\{(.*)\})?$/.exec(name)!
  return `${metric}{job="bcod",instance="bcod-0:9464",pod="bcod-0"${labels && `,${labels}`}}`
}

describe.skipIf(withoutPrometheus !== null)('promtool', () => {
  it('accepts the rules', () => {
    const { code, output } = promtool(['check', 'rules', '--lint=all', '--lint-fatal', all])
    expect(output).toContain(`${alerts().length} rules found`)
    expect(code).toBe(0)
  })

  it.each(alerts())('$alert fires where it should, and only there', (rule) => {
    const cases = CASES[rule.alert]!
    expect(cases.map(({ fires }) => fires > 0)).toEqual(expect.arrayContaining([true, false]))
    const rules = ruleFile(rule.alert, [rule])
    for (const { what, samples, at, fires } of cases) expect(failure(rules, samples, [at], fires), what).toBe('')
  })

  it('nothing fires on a daemon without traffic, whatever its last step left', () => {
    expect(failure(all, IDLE, ['10m', '1h', '3h', '8h'], 0)).toBe('')
  })

  it('nothing fires in the first ten minutes', () => {
    const minutes = Array.from({ length: 10 }, (_, minute) => `${minute + 1}m`)
    expect(failure(all, FRESH, minutes, 0)).toBe('')
  })

  it('nothing fires while all is well', () => {
    expect(failure(all, SOUND, ['10m', '1h', '3h', '8h'], 0)).toBe('')
  })
})
