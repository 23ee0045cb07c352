import { Ajv } from 'ajv'
import { GatewayMetrics } from '../../../src/telemetry/gateway-metrics.js'
import { Metrics } from '../../../src/telemetry/metrics.js'
import { type Manifest, ofKind, podsOf, selects } from '../manifest.js'
import { type Check, when } from './check.js'
import { customResources } from './custom-resources.js'

/** @param daemon  the manifests that are watched, where they are applied apart */
export const monitoring = (daemon: readonly Manifest[]): Check => ({
  name: 'Prometheus scrapes the port that the pods name, and alerts ask for what it gets there',
  findings: (manifests) => {
    const pods = podsOf([...manifests, ...daemon])
    const job = 'app.kubernetes.io/name'
    const monitors = ofKind(manifests, 'PodMonitor').flatMap(({ spec }) => {
      const watched = pods.filter(({ labels }) => selects(spec.selector.matchLabels, labels))
      const names = watched.flatMap(({ containers }) => containers.flatMap(({ ports = [] }) => ports))
      return [
        ...when(watched.length === 0, 'the PodMonitor finds no pod'),
        ...when(spec.jobLabel !== job, `job comes from ${spec.jobLabel}`),
        ...spec.podMetricsEndpoints.flatMap(({ port, path }) => [
          ...when(!names.some(({ name }) => name === port), `no container has a port ${port}`),
          ...when(path !== '/metrics', `scrapes ${path}`),
        ]),
      ]
    })
    const known = new Set([...new Metrics().catalogue, ...new GatewayMetrics().catalogue].map(({ name }) => name))
    const alerts = ofKind(manifests, 'PrometheusRule').flatMap(({ spec }) =>
      spec.groups.flatMap(({ rules }) =>
        rules.flatMap(({ alert, expr }) => [
          ...[...expr.matchAll(/\bbcod_\w+/g)]
            .map(([name]) => name)
            .filter((name) => !known.has(name) && !known.has(name.replace(/_(bucket|sum|count)$/, '')))
            .map((name) => `${alert} asks for ${name}`),
          ...[...expr.matchAll(/\bjob="([^"]*)"/g)].flatMap(([, name]) =>
            when(!pods.some(({ labels }) => labels[job] === name), `${alert}: job ${name}`),
          ),
        ]),
      ),
    )
    return [...monitors, ...alerts]
  },
})

export const customKinds: Check = {
  name: 'objects of foreign kinds have the fields that their operators know',
  findings: (manifests) => {
    const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false })
    return manifests
      .filter(({ apiVersion }) => /keda\.sh|coreos\.com/.test(apiVersion))
      .flatMap(({ apiVersion, kind, spec, metadata }) => {
        const schema = customResources[`${apiVersion} ${kind}`]
        if (schema === undefined) return [`no schema for ${apiVersion} ${kind}`]
        const validate = ajv.compile(schema)
        if (validate(spec)) return []
        return (validate.errors ?? []).map(
          ({ instancePath, message }) => `${kind} ${metadata.name}${instancePath} ${message}`,
        )
      })
  },
}
