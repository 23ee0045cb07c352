import { existsSync, readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { pages } from '../../grafana/src/index.js'

const provisioned = (name: string) => parse(readFileSync(`grafana/provisioning/${name}.yaml`, 'utf8'))
const mounts = new Map(
  [...readFileSync('docs/watching.md', 'utf8').matchAll(/-v "\$PWD\/([^:"]+):([^:"]+):ro"/g)].map(
    ([, from, to]) => [from!, to!] as const,
  ),
)

it('docs/watching.md mounts every page where Grafana’s provisioning looks for pages', () => {
  const { path } = provisioned('dashboards/bcod').providers[0].options
  const expected = Object.keys(pages).map((name) => [`grafana/${name}.json`, `${path}/${name}.json`])
  expect([...mounts].filter(([from]) => from.endsWith('.json'))).toEqual(expected)
  expect(mounts.get('grafana/provisioning')).toBe('/etc/grafana/provisioning')
  for (const from of mounts.keys()) expect(existsSync(from), from).toBe(true)
})

it('the data source is the Prometheus that docs/watching.md names, at the rate of the scrapes', () => {
  const [source] = provisioned('datasources/prometheus').datasources
  expect(source).toMatchObject({ type: 'prometheus', isDefault: true, url: '$PROMETHEUS_URL' })
  expect(readFileSync('docs/watching.md', 'utf8')).toContain('-e PROMETHEUS_URL=')
  const [daemon] = parseAllDocuments(readFileSync('deploy/k8s/overlays/monitoring/podmonitor.yaml', 'utf8'))
  const { spec } = daemon!.toJS()
  expect(source.jsonData.timeInterval).toBe(spec.podMetricsEndpoints[0].interval)
})
