import { readFileSync } from 'node:fs'
import { DEFAULT_INTERVALS } from '../../../src/daemon/options.js'
import { amount, daemonOf, podsOf } from '../manifest.js'
import { type Check, when } from './check.js'

/** Volume types that the restricted standard allows. */
const VOLUMES = [
  'configMap',
  'emptyDir',
  'persistentVolumeClaim',
  'secret',
  'projected',
  'downwardAPI',
  'csi',
  'ephemeral',
]

export const restricted: Check = {
  name: 'pods hold to the restricted pod security standard, write into no image and have no token',
  findings: (manifests) =>
    podsOf(manifests).flatMap(({ name, pod, containers }) => [
      ...when(pod.securityContext?.runAsNonRoot !== true, `${name}: runAsNonRoot`),
      ...when((pod.securityContext?.runAsUser ?? 0) <= 10_000, `${name}: runAsUser is one that a host may have`),
      ...when(pod.securityContext?.seccompProfile?.type !== 'RuntimeDefault', `${name}: seccompProfile`),
      ...when(pod.automountServiceAccountToken !== false, `${name}: a token is mounted`),
      ...when(Boolean(pod.hostNetwork || pod.hostPID || pod.hostIPC), `${name}: shares the host's namespaces`),
      ...(pod.volumes ?? []).flatMap((volume) =>
        when(
          !Object.keys(volume).every((key) => key === 'name' || VOLUMES.includes(key)),
          `${name}: volume ${volume.name}`,
        ),
      ),
      ...containers.flatMap(({ name: container, securityContext = {} }) => {
        const { allowPrivilegeEscalation, privileged, readOnlyRootFilesystem, capabilities = {} } = securityContext
        const place = `${name}/${container}`
        return [
          ...when(allowPrivilegeEscalation !== false, `${place}: allowPrivilegeEscalation`),
          ...when(privileged === true, `${place}: privileged`),
          ...when(readOnlyRootFilesystem !== true, `${place}: readOnlyRootFilesystem`),
          ...when(!capabilities.drop?.includes('ALL') || Boolean(capabilities.add?.length), `${place}: capabilities`),
        ]
      }),
    ]),
}

export const resources: Check = {
  name: 'each container asks for processor, memory and disk, and for no more than it limits',
  findings: (manifests) =>
    podsOf(manifests).flatMap(({ name, containers }) =>
      containers.flatMap(({ name: container, resources: { requests = {}, limits = {} } = {} }) => [
        ...['cpu', 'memory', 'ephemeral-storage'].flatMap((kind) =>
          when(!requests[kind] || !limits[kind], `${name}/${container}: ${kind} is open`),
        ),
        ...Object.entries(requests).flatMap(([kind, request]) =>
          when(
            !(amount(request) <= amount(limits[kind] ?? request)),
            `${name}/${container}: ${kind} asks for ${request}`,
          ),
        ),
        ...when(requests['nvidia.com/gpu'] !== limits['nvidia.com/gpu'], `${name}/${container}: a GPU is not divided`),
      ]),
    ),
}

export const images: Check = {
  name: 'images are pinned',
  findings: (manifests) =>
    podsOf(manifests).flatMap(({ containers }) =>
      containers.flatMap(({ image }) => when(!/:v?\d+\.\d+\.\d+[\w.-]*$|@sha256:[0-9a-f]{64}$/.test(image), image)),
    ),
}

/** Paths that the daemon's server answers probes on; a test asks a server for each. */
export const PROBE_PATHS = ['/livez', '/readyz']
/** A large model from a slow volume, and what compiles at the first step. */
const START_S = 20 * 60

export const probes: Check = {
  name: 'probes ask what the server answers, and give a start the time it takes',
  findings: (manifests) => {
    const [container] = daemonOf(manifests)?.spec.template.spec.containers ?? []
    if (!container) return []
    const { startupProbe, livenessProbe, readinessProbe } = container
    const all = { startupProbe, livenessProbe, readinessProbe }
    const seconds = (startupProbe?.periodSeconds ?? 10) * (startupProbe?.failureThreshold ?? 3)
    return [
      ...Object.entries(all).flatMap(([name, probe]) =>
        when(!PROBE_PATHS.includes(probe?.httpGet?.path ?? ''), `${name} asks for ${probe?.httpGet?.path}`),
      ),
      ...when(readinessProbe?.httpGet?.path !== '/readyz', 'readiness is what /readyz says'),
      // not ready is a daemon that loads, stands by, or has lost its broker: a restart would not help
      ...when(livenessProbe?.httpGet?.path === '/readyz', 'a daemon that is not ready would be killed'),
      ...when(startupProbe?.httpGet?.path === '/readyz', 'a daemon that stands by would be killed'),
      ...when(seconds < START_S, `a start is given ${seconds} s`),
    ]
  },
}

/** `const NAME = 25_000` of a source file, in milliseconds: the limits of a stop are nobody else's business. */
function limitIn(path: string, name: string): number {
  const source = readFileSync(new URL(`../../../src/${path}`, import.meta.url), 'utf8')
  const [, number] = new RegExp(`^const ${name} = ([\\d_]+)$`, 'm').exec(source) ?? []
  if (number === undefined) throw new Error(`${path} has no ${name} any more: what bounds a stop now?`)
  return Number(number.replaceAll('_', ''))
}

/** Step, checkpoint and commit; then the group is left and the clients are closed. */
export const STOP_S = (DEFAULT_INTERVALS.drain + limitIn('streams/kafka/log.ts', 'CLOSE_LIMIT')) / 1000
/** For the thread to end, the server to close, and a slow node. */
const MARGIN_S = 15

export const shutdown: Check = {
  name: 'a daemon that stops in order is not killed meanwhile',
  findings: (manifests) => {
    const grace = daemonOf(manifests)?.spec.template.spec.terminationGracePeriodSeconds ?? Number.POSITIVE_INFINITY
    return when(grace < STOP_S + MARGIN_S, `${grace} s of grace for ${STOP_S} s of work`)
  },
}
