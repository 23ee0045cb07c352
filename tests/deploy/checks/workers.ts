import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Config, loadConfig } from '../../../src/config/config.js'
import { workersOf } from '../../../src/config/devices.js'
import { environmentName, settings } from '../../../src/config/schema.js'
import { type Container, daemonOf, type Manifest, type NetworkRule, ofKind, type Volume } from '../manifest.js'
import { type Check, when } from './check.js'
import { configFile, configOf } from './config.js'

const LEADER = { 'app.kubernetes.io/name': 'bcod' }
const WORKER = { 'app.kubernetes.io/name': 'bcod-worker' }
/** Where /healthz has given up waiting for the server by itself. */
const ANSWERED_S = 6

/** What a worker would run with. */
function workerConfig(container: Container, volumes: readonly Volume[], manifests: readonly Manifest[]): Config {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-manifest-'))
  try {
    const file = join(directory, 'worker.yaml')
    writeFileSync(file, configFile(container, volumes, manifests))
    return loadConfig({ file, env: { BCOD_WORKER_ADDRESS: '10.0.0.7' } })
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b)

/** The rules of all policies of pods with these labels. */
const rulesOf = (manifests: readonly Manifest[], labels: object) => {
  const own = ofKind(manifests, 'NetworkPolicy').filter(({ spec }) => same(spec.podSelector.matchLabels, labels))
  return {
    ingress: own.flatMap(({ spec }) => spec.ingress ?? []),
    egress: own.flatMap(({ spec }) => spec.egress ?? []),
  }
}

/** Whether a rule is for pods with these labels in the same namespace, and one port, alone. */
const isOnly = (peers: NetworkRule['from'], ports: NetworkRule['ports'], labels: object, port: number) =>
  same(peers, [{ podSelector: { matchLabels: labels } }]) &&
  same(
    ports?.map((each) => each.port),
    [port],
  )

export const workers: Check = {
  name: 'a worker is reached by its leader alone, reaches nobody else, and has no secrets',
  findings: (manifests) => {
    const set = ofKind(manifests, 'StatefulSet').find(({ metadata }) => metadata.name === 'bcod-worker')
    if (set === undefined) return []
    const { containers, volumes = [] } = set.spec.template.spec
    const container = containers[0]!
    let config: Config
    try {
      config = workerConfig(container, volumes, manifests)
    } catch (error) {
      return [(error as Error).message]
    }
    const { port, probePort, threads } = config.worker
    const ports = new Map((container.ports ?? []).map(({ name, containerPort }) => [name, containerPort]))
    const probes = {
      ...{ startup: container.startupProbe, liveness: container.livenessProbe },
      readiness: container.readinessProbe,
    }
    const known = new Set([...settings.keys()].map(environmentName))
    const { ingress, egress } = rulesOf(manifests, WORKER)
    const leader = rulesOf(manifests, LEADER)
    const service = ofKind(manifests, 'Service').find(({ metadata }) => metadata.name === set.spec.serviceName)
    return [
      ...when(ingress.length !== 1 || !isOnly(ingress[0]!.from, ingress[0]!.ports, LEADER, port), 'others reach it'),
      ...when(egress.length !== 1 || !isOnly(egress[0]!.to, egress[0]!.ports, LEADER, port), 'it reaches others'),
      ...when(!leader.ingress.some((rule) => isOnly(rule.from, rule.ports, WORKER, port)), 'the leader keeps it out'),
      ...when(!leader.egress.some((rule) => isOnly(rule.to, rule.ports, WORKER, port)), 'the leader cannot reach it'),
      ...when(ports.get('programs') !== port, `the container's port programs is ${ports.get('programs')}`),
      ...when(ports.get('probe') !== probePort, `the container's port probe is ${ports.get('probe')}`),
      ...when(service?.spec.ports[0]?.port !== port, `the service has port ${service?.spec.ports[0]?.port}`),
      ...Object.entries(probes).flatMap(([name, probe]) => [
        ...when(
          probe?.httpGet?.path !== '/healthz' || probe.httpGet.port !== 'probe',
          `${name} asks for something else`,
        ),
        ...when((probe?.timeoutSeconds ?? 1) < ANSWERED_S, `${name} gives up before /healthz answers`),
      ]),
      ...when(String(threads) !== container.resources?.limits?.cpu, `it has ${threads} threads`),
      ...(container.env ?? []).flatMap(({ name, valueFrom }) => [
        ...when(!known.has(name), `${name} is no variable`),
        ...when(valueFrom?.secretKeyRef !== undefined, `${name} is a secret`),
      ]),
      ...volumes.flatMap(({ name, secret, persistentVolumeClaim: claim }) => [
        ...when(secret !== undefined, `volume ${name} holds secrets`),
        ...when(claim !== undefined && !claim.readOnly, `volume ${name} can be written`),
      ]),
      ...when(!config.model.path?.startsWith('/models/'), 'it has no copy of the model'),
    ]
  },
}

export const leader: Check = {
  name: 'the daemon leads every worker that there is, and listens where they may reach it',
  findings: (manifests) => {
    const set = ofKind(manifests, 'StatefulSet').find(({ metadata }) => metadata.name === 'bcod-worker')
    const container = daemonOf(manifests)?.spec.template.spec.containers[0]
    if (set === undefined || container === undefined) return []
    const address = container.env?.find(({ name }) => name === 'BCOD_LEADER_ADDRESS')
    if (address?.valueFrom?.fieldRef?.fieldPath !== 'status.podIP') return ['its address is not that of its pod']
    const { devices, leader } = configOf(manifests)
    const service = set.spec.serviceName
    const scaled = ofKind(manifests, 'ScaledObject').find(({ spec }) => spec.scaleTargetRef.name === set.metadata.name)
    const most = set.spec.replicas ?? scaled?.spec.maxReplicaCount ?? 1
    const there = Array.from({ length: most }, (_, i) => `${set.metadata.name}-${i}.${service}`)
    const ports = new Map((container.ports ?? []).map(({ name, containerPort }) => [name, containerPort]))
    const { ingress } = rulesOf(manifests, LEADER)
    return [
      ...when(
        !same(
          workersOf(devices).map((worker) => worker.replace(/:\d+$/, '')),
          there,
        ),
        `devices are ${String(devices)}, and the workers ${there.join(', ')}`,
      ),
      ...when(ports.get('programs') !== leader.port, `its port programs is ${ports.get('programs')}`),
      ...when(!ingress.some((rule) => isOnly(rule.from, rule.ports, WORKER, leader.port)), 'no worker may reach it'),
    ]
  },
}
