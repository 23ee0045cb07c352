import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dashboardFiles } from '../../scripts/dashboards.mjs'
import { canRender, K8S, render } from './manifest.js'

const folder = join(K8S, 'overlays/monitoring/dashboards')
/** What `kubectl apply` keeps in an annotation of the object. */
const LARGEST = 256 * 1024

describe('the dashboards of deploy/k8s', () => {
  it('are those of grafana/ (else: make docs)', () => {
    const found = new Map(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'utf8')]))
    expect(found).toEqual(dashboardFiles())
  })

  it.skipIf(!canRender)('are one ConfigMap each, with the label that Grafana looks for, small enough to apply', () => {
    const maps = render(folder)
    expect(maps.length).toBe(dashboardFiles().size - 1)
    for (const map of maps) {
      expect(map.metadata.labels).toMatchObject({ grafana_dashboard: '1' })
      expect(JSON.stringify(map).length).toBeLessThan(LARGEST)
    }
  })
})
