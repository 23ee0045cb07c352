import { workersOf } from '../../../src/config/devices.js'
import { daemonOf, type Manifest, type NetworkRule, ofKind, type Port, podsOf, selects } from '../manifest.js'
import { type Check, when } from './check.js'
import { configOf } from './config.js'

const isPort = (port: number) => Number.isInteger(port) && port >= 1 && port <= 65535

/** Every port that the manifests name, with its protocol and, of a named one, the containers that may have it. */
function* portsIn(manifests: readonly Manifest[]) {
  const pods = podsOf(manifests)
  const namesOf = (labels: (pod: (typeof pods)[number]) => boolean) =>
    new Set(
      pods.filter(labels).flatMap(({ containers }) => containers.flatMap(({ ports = [] }) => ports.map((p) => p.name))),
    )
  for (const { name, containers } of pods)
    for (const { ports = [], startupProbe, livenessProbe, readinessProbe, name: container } of containers) {
      const own = new Set(ports.map((port) => port.name))
      const place = `${name}/${container}`
      for (const { containerPort, protocol } of ports)
        yield { place, port: containerPort as Port, protocol, names: own }
      for (const probe of [startupProbe, livenessProbe, readinessProbe]) {
        const port = probe?.httpGet?.port ?? probe?.tcpSocket?.port
        if (port !== undefined) yield { place: `probe of ${place}`, port, protocol: 'TCP', names: own }
      }
    }
  for (const { metadata, spec } of ofKind(manifests, 'Service')) {
    const names = namesOf(({ labels }) => selects(spec.selector, labels))
    for (const { port, targetPort, protocol } of spec.ports) {
      yield { place: `service ${metadata.name}`, port: port as Port, protocol, names }
      yield { place: `service ${metadata.name}`, port: targetPort, protocol, names }
    }
  }
  for (const { metadata, spec } of ofKind(manifests, 'NetworkPolicy'))
    for (const { ports = [] } of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
      for (const { port, protocol } of ports)
        yield { place: `policy ${metadata.name}`, port, protocol, names: new Set<string>() }
}

export const ports: Check = {
  name: 'ports are numbers of ports, or names that a container has; TCP, and UDP for DNS alone',
  findings: (manifests) =>
    [...portsIn(manifests)].flatMap(({ place, port, protocol, names }) => [
      ...when(typeof port === 'number' ? !isPort(port) : !names.has(port), `${place}: ${port} is no port`),
      ...when(protocol !== 'TCP' && !(protocol === 'UDP' && port === 53), `${place}: ${port} is ${protocol}`),
    ]),
}

export const serving: Check = {
  name: 'the daemon is reached where it listens',
  findings: (manifests) => {
    const daemon = daemonOf(manifests)
    if (!daemon) return []
    const { devices, leader, server } = configOf(manifests)
    // for workers, beside its own
    const listening = [server.port, ...(workersOf(devices).length > 0 ? [leader.port] : [])]
    const { labels } = daemon.spec.template.metadata
    const [container] = daemon.spec.template.spec.containers
    const services = ofKind(manifests, 'Service').filter(({ spec }) => selects(spec.selector, labels))
    return [
      ...(container?.ports ?? []).flatMap(({ containerPort }) =>
        when(
          !listening.includes(containerPort),
          `the container names port ${containerPort}, the daemon listens on ${listening.join(', ')}`,
        ),
      ),
      ...services.flatMap(({ spec }) =>
        spec.ports.flatMap(({ port }) => when(port !== server.port, `the service has port ${port}`)),
      ),
      ...when(
        !services.some(({ spec }) => spec.publishNotReadyAddresses),
        'a daemon that is not ready cannot be scraped',
      ),
    ]
  },
}

/** Of a rule from another namespace. */
export const fromOutside = ({ from = [] }: NetworkRule): boolean =>
  from.some((peer) => typeof peer === 'object' && peer !== null && 'namespaceSelector' in peer)

/** Whether a rule lets a port through. */
export const opens = (rules: readonly NetworkRule[], port: number, protocol = 'TCP') =>
  rules.some((rule) => (rule.ports ?? []).some((each) => each.port === port && each.protocol === protocol))

export const policies: Check = {
  name: 'each pod is closed by default, and open where it must be',
  findings: (manifests) => {
    const policies = ofKind(manifests, 'NetworkPolicy')
    const closed = podsOf(manifests).flatMap(({ name, labels }) =>
      when(
        !policies.some(
          ({ spec: { podSelector, policyTypes, ingress, egress } }) =>
            selects(podSelector.matchLabels, labels) &&
            ['Ingress', 'Egress'].every((type) => policyTypes.includes(type)) &&
            !ingress?.length &&
            !egress?.length,
        ),
        `no policy denies by default what ${name} sends and receives`,
      ),
    )
    const wide = policies.flatMap(({ metadata, spec: { ingress = [], egress = [] } }) =>
      [
        ...ingress.map((rule) => ({ peers: rule.from, ...rule })),
        ...egress.map((rule) => ({ peers: rule.to, ...rule })),
      ]
        .filter(({ peers = [], ports = [] }) => peers.length === 0 || ports.length === 0)
        .map(() => `policy ${metadata.name} opens a rule to every peer or every port`),
    )
    const daemon = daemonOf(manifests)
    if (!daemon) return [...closed, ...wide]
    const own = policies.filter(({ spec }) =>
      selects(spec.podSelector.matchLabels, daemon.spec.template.metadata.labels),
    )
    const egress = own.flatMap(({ spec }) => spec.egress ?? [])
    const ingress = own.flatMap(({ spec }) => spec.ingress ?? [])
    const { stream, server } = configOf(manifests)
    return [
      ...closed,
      ...wide,
      ...when(!opens(egress, 53) || !opens(egress, 53, 'UDP'), 'the daemon cannot ask for names'),
      ...stream.brokers.flatMap((broker) =>
        when(!opens(egress, Number(broker.split(':').at(-1))), `the daemon cannot reach ${broker}`),
      ),
      ...when(!opens(ingress.filter(fromOutside), server.port), `Prometheus cannot reach port ${server.port}`),
    ]
  },
}
