import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configurationPage, errorsPage, metricsPage } from '../../scripts/docs/pages.mjs'
import { explainAll } from '../../src/config/explain.js'
import { ERRORS } from '../../src/errors.js'
import { GatewayMetrics } from '../../src/telemetry/gateway-metrics.js'
import { Metrics } from '../../src/telemetry/metrics.js'

const committed = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

describe.each([
  ['errors.md', errorsPage(ERRORS)],
  ['metrics.md', metricsPage(new Metrics().catalogue, new GatewayMetrics().catalogue)],
  ['configuration.md', configurationPage(explainAll())],
])('docs/%s', (name, page) => {
  it('is what the code says now (else: make docs)', () => {
    expect(committed(name)).toBe(page)
  })

  it('has tables whose rows all have as many cells as their head', () => {
    const cells = (row: string) => row.replaceAll('\\|', '').split('|').length
    for (const table of page.match(/(^\|.*\n)+/gm) ?? []) {
      const rows = table.trimEnd().split('\n')
      expect(new Set(rows.map(cells)).size).toBe(1)
    }
  })
})
