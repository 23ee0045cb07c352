import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../../src/config/config.js'
import { type ConfigFor, requireFor } from '../../../src/config/requirements.js'
import { daemonOf, gatewayOf, type Manifest, type NetworkRule, ofKind, podsOf, selects } from '../manifest.js'
import { type Check, when } from './check.js'
import { configFile } from './config.js'
import { fromOutside, opens } from './network.js'

const SECRETS = { BCOD_GATEWAY_USER_SALT: 'a salt that is long enough', BCOD_GATEWAY_VOTE_KEY: 'x'.repeat(32) }

/** What a gateway would run with; secrets are there. */
function gatewayConfig(manifests: readonly Manifest[]): ConfigFor<'gateway'> {
  const { containers, volumes = [] } = gatewayOf(manifests)!.spec.template.spec
  const [container] = containers
  const directory = mkdtempSync(join(tmpdir(), 'bcod-manifest-'))
  try {
    const file = join(directory, 'gateway.yaml')
    const text = configFile(container!, volumes, manifests)
    writeFileSync(file, text)
    // a login is there if the file asks for one
    const written = (container!.env ?? []).flatMap(({ name, value }) => (value === undefined ? [] : [[name, value]]))
    const login = { BCOD_STREAM_SASL_USERNAME: 'gateway', BCOD_STREAM_SASL_PASSWORD: 'secret' }
    const hasLogin = text.includes('mechanism:')
    return requireFor(
      loadConfig({ file, env: { ...Object.fromEntries(written), ...SECRETS, ...(hasLogin && login) } }),
      'gateway',
    )
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** How long load balancers take to notice, and what a gateway itself takes to end, beyond `gateway.stopDelay`. */
const NOTICED_MS = 5_000
const ENDED_MS = 100_000

/** Whether a rule lets pods of the same namespace with these labels through to a port. */
const lets = ({ from = [], ports = [] }: NetworkRule, labels: Readonly<Record<string, string>>, port: number) =>
  ports.some((each) => each.port === port) &&
  from.some((peer) => {
    const { podSelector } = peer as { podSelector?: { matchLabels: Readonly<Record<string, string>> } }
    return podSelector !== undefined && selects(podSelector.matchLabels, labels)
  })

/** What pods may reach brokers that are among the manifests: whoever can, can write votes if brokers ask for no login. */
function writers(manifests: readonly Manifest[]): readonly string[] {
  const brokers = podsOf(manifests).find(({ name }) => name === 'kafka')
  if (brokers === undefined) return []
  const ports = brokers.containers.flatMap(({ ports = [] }) => ports.map(({ containerPort }) => containerPort))
  const rules = ofKind(manifests, 'NetworkPolicy')
    .filter(({ spec }) => selects(spec.podSelector.matchLabels, brokers.labels))
    .flatMap(({ spec }) => spec.ingress ?? [])
  const others = rules.filter(fromOutside).map(() => 'pods of other namespaces can write votes')
  const reaching = podsOf(manifests).filter(({ labels }) =>
    rules.some((rule) => ports.some((port) => lets(rule, labels, port))),
  )
  const names = reaching.map(({ name }) => name).sort()
  return [...others, ...when(names.join() !== 'bcod,bcod-gateway', `brokers can be reached by ${names.join()}`)]
}

export const gateway: Check = {
  name: 'gateways run, two at least, are reached where they listen, and reach what they ask',
  findings: (manifests) => {
    const deployment = gatewayOf(manifests)
    if (!deployment) return []
    const { spec } = deployment
    let config: ConfigFor<'gateway'>
    try {
      config = gatewayConfig(manifests)
    } catch (error) {
      return [(error as Error).message]
    }
    const [container] = spec.template.spec.containers
    const { labels } = spec.template.metadata
    const ports = new Map((container?.ports ?? []).map(({ name, containerPort }) => [name, containerPort]))
    const probes = [container?.startupProbe, container?.livenessProbe, container?.readinessProbe]
    const scalers = ofKind(manifests, 'HorizontalPodAutoscaler').filter(
      ({ spec: { scaleTargetRef } }) => scaleTargetRef.kind === 'Deployment' && scaleTargetRef.name === 'bcod-gateway',
    )
    const own = ofKind(manifests, 'NetworkPolicy').filter((policy) =>
      selects(policy.spec.podSelector.matchLabels, labels),
    )
    const ingress = own.flatMap((policy) => policy.spec.ingress ?? [])
    const egress = own.flatMap((policy) => policy.spec.egress ?? [])
    const asked = [...config.gateway.upstreams, ...(config.gateway.routing === null ? [] : [config.gateway.routing])]
    const services = ofKind(manifests, 'Service').filter((service) => selects(service.spec.selector, labels))
    const grace = (spec.template.spec.terminationGracePeriodSeconds ?? 30) * 1000
    const daemon = daemonOf(manifests)
    const intoDaemon = ofKind(manifests, 'NetworkPolicy')
      .filter(({ spec }) => daemon && selects(spec.podSelector.matchLabels, daemon.spec.template.metadata.labels))
      .flatMap(({ spec }) => spec.ingress ?? [])
    const { routing, stopDelay } = config.gateway
    return [
      ...writers(manifests),
      ...when(stopDelay < NOTICED_MS, 'a replica that is replaced refuses requests that still come to it'),
      ...when(grace < stopDelay + ENDED_MS, `it is killed after ${grace / 1000} s, before it has ended`),
      ...when(
        routing !== null && !intoDaemon.some((rule) => lets(rule, labels, portOf(routing))),
        'the daemon does not let it in',
      ),
      ...when(ports.get('http') !== config.gateway.port, `the container's port http is ${ports.get('http')}`),
      ...when(ports.get('status') !== config.server.port, `the container's port status is ${ports.get('status')}`),
      ...when(
        config.gateway.host !== '0.0.0.0' || config.server.host !== '0.0.0.0',
        'nothing reaches a loopback address',
      ),
      ...when(
        probes.some((probe) => probe?.httpGet?.port !== 'status'),
        'probes ask for the port of strangers',
      ),
      ...when(container?.readinessProbe?.httpGet?.path !== '/readyz', 'readiness is what /readyz says'),
      ...when(
        container?.livenessProbe?.httpGet?.path !== '/livez',
        'a gateway that waits for the daemon would be killed',
      ),
      ...when(scalers.length !== 1 || (scalers[0]?.spec.minReplicas ?? 1) < 2, 'nothing is left when one goes'),
      ...when(spec.replicas !== undefined, 'applying it again would undo what the scaler has done'),
      ...when(
        !services.some((each) => each.spec.ports.some(({ targetPort }) => targetPort === 'http')),
        'no service leads to it',
      ),
      ...when(!opens(ingress.filter(fromOutside), config.gateway.port), 'applications cannot reach it'),
      ...when(!opens(ingress.filter(fromOutside), config.server.port), 'Prometheus cannot reach it'),
      ...when(!opens(egress, 53) || !opens(egress, 53, 'UDP'), 'it cannot ask for names'),
      ...asked.flatMap((url) => when(!opens(egress, portOf(url)), `it cannot reach ${new URL(url).host}`)),
      ...config.stream.brokers.flatMap((broker) =>
        when(!opens(egress, Number(broker.split(':').at(-1))), `it cannot reach ${broker}`),
      ),
    ]
  },
}

function portOf(url: string): number {
  const { port, protocol } = new URL(url)
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}
