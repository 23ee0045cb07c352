import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { dashboardJson, pages } from '../../grafana/src/index.js'
import { canRender, render } from './manifest.js'

const folder = fileURLToPath(new URL('../../grafana', import.meta.url))
/** What `kubectl apply` keeps in an annotation of the object. */
const LARGEST = 256 * 1024

describe.skipIf(!canRender)('the dashboards of grafana/', () => {
  it('are one ConfigMap each, with the label that Grafana looks for, small enough to apply', () => {
    const maps = render(folder)
    // kubectl sorts what it renders
    const expected = Object.keys(pages)
      .sort()
      .map((name) => [`bcod-dashboard-${name}`, { [`${name}.json`]: dashboardJson(name) }])
    expect(maps.map(({ metadata, data }) => [metadata.name, data])).toEqual(expected)
    for (const map of maps) {
      expect(map.metadata.labels).toMatchObject({ grafana_dashboard: '1' })
      expect(JSON.stringify(map).length).toBeLessThan(LARGEST)
    }
  })
})
