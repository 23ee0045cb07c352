import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { configurationPage } from '../../src/config/page.js'
import { settings } from '../../src/config/schema.js'
import { ERRORS } from '../../src/errors.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { errorsPage, metricsPage } from '../../src/telemetry/page.js'

const committed = (name: string) => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')

describe('generated documentation', () => {
  it.each([
    ['errors.md', errorsPage],
    ['metrics.md', metricsPage],
    ['configuration.md', configurationPage],
  ])('docs/%s is what the code says now (else: make docs)', (name, page) => {
    expect(committed(name)).toBe(page())
  })

  it('has one row for every error, metric and key', () => {
    for (const code of Object.keys(ERRORS)) expect(errorsPage()).toContain(`| \`${code}\` |`)
    for (const { name } of new Metrics().catalogue) expect(metricsPage()).toContain(`| \`${name}\` |`)
    for (const key of settings.keys()) expect(configurationPage()).toContain(`| \`${key}\` |`)
  })

  it('has tables whose rows all have as many cells as their head', () => {
    for (const page of [errorsPage(), metricsPage(), configurationPage()]) {
      const cells = (row: string) => row.replaceAll('\\|', '').split('|').length
      for (const table of page.match(/(^\|.*\n)+/gm) ?? []) {
        const rows = table.trimEnd().split('\n')
        expect(new Set(rows.map(cells)).size).toBe(1)
      }
    }
  })
})
