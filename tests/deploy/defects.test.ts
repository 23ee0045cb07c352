import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { allChecks } from './checks/all.js'
import { canRender, K8S, type Manifest, render } from './manifest.js'

const CONTAINER = 'spec.template.spec.containers.0'
const CONFIG = 'ConfigMap bcod-config data bcod.yaml'

/** A value of the rendered objects that is replaced; undefined takes it away, a function makes it from what is there. */
interface Defect {
  readonly check: string
  readonly entry: string
  readonly object: string
  readonly path: string
  readonly value: unknown
}

const daemon = (check: string, path: string, value: unknown, entry = 'base'): Defect => ({
  ...{ check, entry, object: 'StatefulSet bcod', path, value },
})
const inContainer = (check: string, path: string, value: unknown) => daemon(check, `${CONTAINER}.${path}`, value)
const other = (check: string, object: string, path: string, value: unknown, entry = 'base'): Defect => ({
  ...{ check, entry, object, path, value },
})
const config = (check: string, from: RegExp, to: string, entry = 'base'): Defect => ({
  ...{ check, entry, object: CONFIG, path: '', value: (text: string) => text.replace(from, to) },
})

const defects: readonly Defect[] = [
  config('configuration', /^ {2}maxLatency/m, '  maxLatancy'),
  config('configuration', /holdBack: 30s/, 'holdBack: half a minute'),
  config('configuration', /^ {2}topic: .*\n/m, ''),
  config('configuration', /host: 0\.0\.0\.0/, 'host: 127.0.0.1'),
  inContainer('configuration', 'args.2', '/etc/bcod/other.yaml'),
  inContainer('configuration', 'resources.limits.cpu', '2'),
  inContainer('variables', 'env.0.name', 'BCOD_STREAM_SASL_USER'),
  daemon('variables', `${CONTAINER}.env.4.name`, 'BCOD_MODEL_DYPE', 'overlays/gpu'),
  daemon('configuration', `${CONTAINER}.env.4.value`, 'f16', 'overlays/gpu'),
  inContainer('secrets', 'env.1', { name: 'BCOD_STREAM_SASL_PASSWORD', value: 'hunter2' }),
  config('secrets', /^server:/m, 'server:\n  adminToken: hunter2'),
  other('secrets', 'PersistentVolumeClaim bcod-adapters', 'kind', 'Secret'),

  inContainer('ports', 'ports.0.containerPort', 808000),
  inContainer('ports', 'ports.0.protocol', 'UDP'),
  inContainer('ports', 'ports.0.protocol', 'HTTP'),
  inContainer('ports', 'livenessProbe.httpGet.port', 'metrics'),
  inContainer('ports', 'ports.0.name', 'web'),
  other('ports', 'Service bcod', 'spec.ports.0.targetPort', 'metrics'),
  other('ports', 'Service bcod', 'spec.ports.0.port', 0),
  other('ports', 'NetworkPolicy bcod', 'spec.egress.1.ports.0.port', 90920),
  other('ports', 'Service kafka', 'spec.ports.0.targetPort', 'plaintext', 'overlays/cpu-dev'),
  inContainer('serving', 'ports.0.containerPort', 9465),
  other('serving', 'Service bcod', 'spec.ports.0.port', 80),
  other('serving', 'Service bcod', 'spec.publishNotReadyAddresses', undefined),
  config('serving', /port: 9464/, 'port: 8080'),

  other('policies', 'NetworkPolicy bcod-default-deny', 'spec.policyTypes', ['Ingress']),
  other('policies', 'NetworkPolicy bcod-default-deny', 'spec.egress', [{}]),
  other('policies', 'NetworkPolicy kafka-default-deny', 'spec.podSelector.matchLabels', { a: 'b' }, 'overlays/cpu-dev'),
  other('policies', 'NetworkPolicy bcod', 'spec.egress.0.ports.0', undefined),
  other('policies', 'NetworkPolicy bcod', 'spec.egress.1.ports.0.port', 9094),
  other('policies', 'NetworkPolicy bcod', 'spec.egress.1.to', []),
  other('policies', 'NetworkPolicy bcod', 'spec.ingress.0.ports.0.port', 9090),
  config('policies', /kafka\.kafka\.svc:9092/, 'kafka.kafka.svc:19092'),

  daemon('restricted', 'spec.template.spec.automountServiceAccountToken', undefined),
  daemon('restricted', 'spec.template.spec.hostNetwork', true),
  daemon('restricted', 'spec.template.spec.securityContext.runAsNonRoot', false),
  daemon('restricted', 'spec.template.spec.securityContext.runAsUser', 1000),
  daemon('restricted', 'spec.template.spec.securityContext.seccompProfile', undefined),
  daemon('restricted', 'spec.template.spec.volumes.0', { name: 'config', hostPath: { path: '/etc' } }),
  inContainer('restricted', 'securityContext', undefined),
  inContainer('restricted', 'securityContext.allowPrivilegeEscalation', true),
  inContainer('restricted', 'securityContext.privileged', true),
  inContainer('restricted', 'securityContext.readOnlyRootFilesystem', false),
  inContainer('restricted', 'securityContext.capabilities.drop', ['NET_RAW']),
  inContainer('restricted', 'securityContext.capabilities.add', ['SYS_PTRACE']),
  daemon('restricted', 'spec.template.spec.initContainers.0.securityContext', undefined, 'overlays/cpu-dev'),
  inContainer('resources', 'resources.requests.memory', '8Gi'),
  inContainer('resources', 'resources.requests.cpu', '4500m'),
  inContainer('resources', 'resources.limits.ephemeral-storage', undefined),
  daemon('resources', `${CONTAINER}.resources.requests`, { 'nvidia.com/gpu': '2' }, 'overlays/gpu'),
  inContainer('images', 'image', 'bcod'),
  inContainer('images', 'image', 'bcod:latest'),
  other('images', 'StatefulSet kafka', `${CONTAINER}.image`, 'apache/kafka:4', 'overlays/cpu-dev'),
  inContainer('probes', 'startupProbe.failureThreshold', 30),
  inContainer('probes', 'startupProbe.httpGet.path', '/readyz'),
  inContainer('probes', 'livenessProbe.httpGet.path', '/healthz'),
  inContainer('probes', 'livenessProbe.httpGet.path', '/readyz'),
  inContainer('probes', 'readinessProbe.httpGet.path', '/livez'),
  inContainer('probes', 'readinessProbe', undefined),
  daemon('shutdown', 'spec.template.spec.terminationGracePeriodSeconds', 30),

  daemon('selectors', 'spec.template.metadata.labels', { 'app.kubernetes.io/name': 'bco' }),
  daemon('selectors', 'spec.serviceName', 'bcod-headless'),
  other('selectors', 'Service bcod', 'spec.clusterIP', undefined),
  other('selectors', 'PodDisruptionBudget bcod', 'spec.selector.matchLabels', { app: 'bcod' }),
  other('selectors', 'NetworkPolicy bcod-default-deny', 'metadata.name', 'bcod'),
  ...(
    [
      ['Deployment bcod-gateway', 'spec.replicas', 1],
      ['Deployment bcod-gateway', `${CONTAINER}.ports.0.containerPort`, 80],
      ['Deployment bcod-gateway', `${CONTAINER}.ports.1.containerPort`, 8080],
      ['Deployment bcod-gateway', `${CONTAINER}.readinessProbe.httpGet.path`, '/livez'],
      ['Deployment bcod-gateway', `${CONTAINER}.livenessProbe.httpGet.path`, '/readyz'],
      ['Deployment bcod-gateway', `${CONTAINER}.livenessProbe.httpGet.port`, 'http'],
      ['HorizontalPodAutoscaler bcod-gateway', 'spec.minReplicas', 1],
      ['HorizontalPodAutoscaler bcod-gateway', 'spec.scaleTargetRef.name', 'bcod'],
      ['NetworkPolicy bcod-gateway', 'spec.ingress.0.ports.0.port', 80],
      ['NetworkPolicy bcod-gateway', 'spec.ingress.1.ports.0.port', 9090],
      ['NetworkPolicy bcod-gateway', 'spec.egress.1.ports.0.port', 9094],
      ['NetworkPolicy bcod-gateway', 'spec.egress.2.ports.0.port', 8001],
      ['NetworkPolicy bcod-gateway', 'spec.egress.3.ports.0.port', 80],
      ['NetworkPolicy bcod', 'spec.ingress.1.ports.0.port', 80],
      ['Deployment bcod-gateway', `${CONTAINER}.env.0.value`, '0'],
      ['Deployment bcod-gateway', 'spec.template.spec.terminationGracePeriodSeconds', 60],
    ] as const
  ).map(([object, path, value]) => other('gateway', object, path, value)),
  other('gateway', 'NetworkPolicy kafka', 'spec.ingress.0.from.0.podSelector.matchLabels', {}, 'overlays/cpu-dev'),
  other('gateway', 'NetworkPolicy kafka', 'spec.ingress.0.from.0', { namespaceSelector: {} }, 'overlays/cpu-dev'),
  {
    ...{ check: 'gateway', entry: 'base', object: 'ConfigMap bcod-gateway-config data gateway.yaml', path: '' },
    value: (text: string) => text.replace('upstreams:', 'upstream:'),
  },
  ...(
    [
      ['NetworkPolicy bcod-worker', 'spec.ingress.0.from.0', { namespaceSelector: {} }],
      ['NetworkPolicy bcod-worker', 'spec.ingress.0.from.0.podSelector.matchLabels', {}],
      ['NetworkPolicy bcod-worker', 'spec.ingress.0.ports.0.port', 2223],
      ['NetworkPolicy bcod-worker', 'spec.egress.0.to.0', { ipBlock: { cidr: '0.0.0.0/0' } }],
      ['NetworkPolicy bcod-leads-workers', 'spec.ingress.0.ports.0.port', 9464],
      ['NetworkPolicy bcod-leads-workers', 'spec.egress.0.ports.0.port', 9464],
      ['Service bcod-workers', 'spec.ports.0.port', 80],
      ['StatefulSet bcod-worker', `${CONTAINER}.ports.0.containerPort`, 80],
      ['StatefulSet bcod-worker', `${CONTAINER}.ports.1.containerPort`, 80],
      ['StatefulSet bcod-worker', `${CONTAINER}.livenessProbe.httpGet.path`, '/livez'],
      ['StatefulSet bcod-worker', `${CONTAINER}.livenessProbe.timeoutSeconds`, 1],
      ['StatefulSet bcod-worker', `${CONTAINER}.startupProbe.httpGet.port`, 'programs'],
      ['StatefulSet bcod-worker', `${CONTAINER}.resources.limits.cpu`, '2'],
      ['StatefulSet bcod-worker', `${CONTAINER}.env.0.name`, 'BCOD_WORKER_ADRESS'],
      [
        'StatefulSet bcod-worker',
        `${CONTAINER}.env.0.valueFrom`,
        { secretKeyRef: { name: 'bcod-tokens', key: 'admin' } },
      ],
      [
        'StatefulSet bcod-worker',
        'spec.template.spec.volumes.0',
        { name: 'config', secret: { secretName: 'bcod-kafka' } },
      ],
      ['StatefulSet bcod-worker', 'spec.template.spec.volumes.1.persistentVolumeClaim.readOnly', false],
    ] as const
  ).map(([object, path, value]) => other('workers', object, path, value, 'overlays/workers')),
  {
    ...{
      check: 'workers',
      entry: 'overlays/workers',
      object: 'ConfigMap bcod-worker-config data worker.yaml',
      path: '',
    },
    value: (text: string) => text.replace('probePort:', 'probe:'),
  },
  other('leader', 'StatefulSet bcod-worker', 'spec.replicas', 3, 'overlays/workers'),
  other('leader', 'StatefulSet bcod-worker', 'spec.serviceName', 'workers', 'overlays/workers'),
  other('leader', 'NetworkPolicy bcod-leads-workers', 'spec.ingress.0.from', [], 'overlays/workers'),
  daemon('leader', `${CONTAINER}.env.0.valueFrom.fieldRef.fieldPath`, 'status.hostIP', 'overlays/workers'),
  daemon('leader', `${CONTAINER}.env.1.value`, 'CPU:0,bcod-worker-0.bcod-workers:2222/CPU:0', 'overlays/workers'),
  daemon('leader', `${CONTAINER}.ports.0.containerPort`, 2223, 'overlays/workers'),
  daemon('oneWriter', 'spec.replicas', 2),
  daemon('oneWriter', 'spec.replicas', 1, 'overlays/keda'),
  daemon('oneWriter', 'spec.persistentVolumeClaimRetentionPolicy.whenScaled', 'Delete'),
  daemon('oneWriter', 'spec.volumeClaimTemplates.0.spec.accessModes', ['ReadWriteMany']),
  other('drains', 'PodDisruptionBudget bcod', 'spec.maxUnavailable', 0),
  other('drains', 'PodDisruptionBudget bcod', 'spec.minAvailable', 1),
  other('drains', 'PodDisruptionBudget bcod', 'spec.unhealthyPodEvictionPolicy', undefined),
  inContainer('storage', 'volumeMounts.2.name', 'stat'),
  inContainer('storage', 'volumeMounts.2.mountPath', '/var/lib/state'),
  inContainer('storage', 'volumeMounts.3.readOnly', true),
  inContainer('storage', 'volumeMounts.4.mountPath', '/var/tmp'),
  daemon('storage', 'spec.template.spec.volumes.2.persistentVolumeClaim.claimName', 'adapters'),
  config('storage', /path: \/models\/base/, 'path: /models/other'),
  config('storage', /path: \/app\/dist\/demo\/model/, 'path: /app/src/demo/mode', 'overlays/cpu-dev'),

  ...[
    ['spec.maxReplicaCount', 2],
    ['spec.minReplicaCount', 1],
    ['spec.cooldownPeriod', 30],
    ['spec.scaleTargetRef.name', 'bcod-0'],
    ['spec.triggers.0.metadata.topic', 'votes'],
    ['spec.triggers.0.metadata.consumerGroup', 'keda'],
    ['spec.triggers.0.metadata.bootstrapServers', 'kafka:9092'],
    ['spec.triggers.0.metadata.tls', 'enable'],
    ['spec.triggers.0.metadata.activationLagThreshold', '100'],
    ['spec.triggers.0.metadata.offsetResetPolicy', 'latest'],
    ['spec.triggers.0.authenticationRef.name', 'kafka'],
  ].map(([path, value]) => other('scaling', 'ScaledObject bcod', String(path), value, 'overlays/keda')),
  config('scaling', /groupId: bcod/, 'groupId: bcod-2', 'overlays/keda'),
  other('scaling', 'TriggerAuthentication bcod-kafka', 'spec.secretTargetRef.0.key', 'user', 'overlays/keda'),
  ...[
    ['spec.maxReplicaCount', 4],
    ['spec.minReplicaCount', 1],
    ['spec.scaleTargetRef.name', 'bcod'],
    ['spec.triggers.0.type', 'kafka'],
    ['spec.triggers.0.metadata.podSelector', 'app.kubernetes.io/name=bcod-worker'],
    ['spec.triggers.0.metadata.value', '2'],
  ].map(([path, value]) =>
    other('workerScaling', 'ScaledObject bcod-worker', String(path), value, 'overlays/workers-keda'),
  ),
  other('workerScaling', 'StatefulSet bcod-worker', 'spec.replicas', 2, 'overlays/workers-keda'),
  other('customKinds', 'ScaledObject bcod', 'spec.coolDownPeriod', 1800, 'overlays/keda'),
  other('customKinds', 'ScaledObject bcod', 'spec.triggers.0.metadata.lagThreshold', 8, 'overlays/keda'),
  other('customKinds', 'PodMonitor bcod', 'spec.podMetricsEndpoints.0.interval', '15', 'overlays/monitoring'),
  other('customKinds', 'PrometheusRule bcod', 'spec.groups.0.rules.0.alert', undefined, 'overlays/monitoring'),
  other('monitoring', 'PodMonitor bcod', 'spec.podMetricsEndpoints.0.port', 'metrics', 'overlays/monitoring'),
  other('monitoring', 'PodMonitor bcod', 'spec.podMetricsEndpoints.0.path', '/', 'overlays/monitoring'),
  other('monitoring', 'PodMonitor bcod', 'spec.selector.matchLabels', { app: 'bcod' }, 'overlays/monitoring'),
  other('monitoring', 'PodMonitor bcod', 'spec.jobLabel', undefined, 'overlays/monitoring'),
  ...['bcod_trian_loss > 2', 'up{job="bcod-0"} == 0'].map((expr) =>
    other('monitoring', 'PrometheusRule bcod', 'spec.groups.0.rules.0.expr', expr, 'overlays/monitoring'),
  ),
]

/** The manifests with the defect in them. A ConfigMap's name goes on with a hash, and its key may hold a dot. */
function spoil(manifests: readonly Manifest[], { object, path, value }: Defect): readonly Manifest[] {
  const spoilt = structuredClone(manifests)
  const [kind, name, ...rest] = object.split(' ')
  const target = spoilt.find(
    (each) =>
      each.kind === kind && (each.metadata.name === name || (rest.length > 0 && each.metadata.name.startsWith(name!))),
  )
  const steps = rest.length > 0 ? rest : path.replace('app.kubernetes', 'app\0kubernetes').split('.')
  const last = steps.pop()!
  const parent = steps.reduce<Record<string, unknown>>(
    (node, step) => node[step] as Record<string, unknown>,
    target as unknown as Record<string, unknown>,
  )
  const before = parent[last]
  const after = typeof value === 'function' ? value(before) : value
  expect(after, 'the defect changes something').not.toEqual(before)
  if (after !== undefined) parent[last] = after
  else if (Array.isArray(parent)) parent.splice(Number(last), 1)
  else delete parent[last]
  return spoilt
}

describe.skipIf(!canRender)('the checks of deploy/k8s', () => {
  const entries = new Map<string, readonly Manifest[]>()
  const rendered = (entry: string) => {
    if (!entries.has(entry)) entries.set(entry, render(join(K8S, entry)))
    return entries.get(entry)!
  }
  const checks = () => allChecks(rendered('base'))

  it.each(defects.map((defect) => ({ ...defect, shown: String(defect.value) })))(
    '$check sees that $object $path is $shown',
    (defect) => {
      const spoilt = spoil(rendered(defect.entry), defect)
      const check = checks().get(defect.check)!
      expect(check.findings(spoilt)).not.toEqual([])
    },
  )

  it('have a defect each', () => {
    expect(new Set(defects.map(({ check }) => check))).toEqual(new Set(checks().keys()))
  })
})
