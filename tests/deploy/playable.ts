import { stringify } from 'yaml'
import { type Container, type Manifest, type OfKind, ofKind, type Pod, selects, type Volume } from './manifest.js'

/** A pod as podman runs it. */
export interface Played {
  readonly name: string
  /** Its fixed address in podman's network. */
  readonly address: string
  /** As rendered. */
  readonly pod: Pod
  /** podman's name of its first container, the one that `kubectl exec` means. */
  readonly container: string
}

/**
 * Rendered objects as `podman play kube` 4.3 takes them. Images, commands, arguments, environment, configuration, security
 * contexts, resources and mounts stay as rendered. What podman does not know, or does otherwise:
 *
 * - a StatefulSet becomes its pod `-0`, its claim templates become claims; all names begin with the namespace
 * - pods start one after the other: those with init containers, which may wait for others, come last
 * - the name of a Service is put into /etc/hosts, with the fixed address of the pod that it selects
 * - `fsGroup` becomes the owner of the volumes
 * - no probes, for podman wants systemd for them; no ports, for podman opens them on the host
 * - containers start again only after a failure, for podman would start a finished init container again for ever
 * - Deployments are left out: the gateway needs a server of the model
 * - nothing does the work of network policies, disruption budgets and the namespace
 *
 * @param addressOf  the address of the n-th pod
 */
export function playable(manifests: readonly Manifest[], addressOf: (index: number) => string) {
  const namespace = manifests.find(({ kind }) => kind === 'Namespace')!.metadata.name
  const named = (name: string) => `${namespace}-${name}`
  const sets = [...ofKind(manifests, 'StatefulSet')].sort((a, b) => initContainers(a) - initContainers(b))
  const hostAliases = ofKind(manifests, 'Service').flatMap(({ metadata, spec }) => {
    const index = sets.findIndex(({ spec: { template } }) => selects(spec.selector, template.metadata.labels))
    return index < 0 ? [] : [{ ip: addressOf(index), hostnames: [metadata.name] }]
  })

  const maps = manifests.filter(({ kind }) => kind === 'ConfigMap')
  const claims = [
    ...manifests.filter(({ kind }) => kind === 'PersistentVolumeClaim'),
    ...sets.flatMap((set) =>
      (set.spec.volumeClaimTemplates ?? []).map(({ metadata, spec }) => ({
        ...{ apiVersion: 'v1', kind: 'PersistentVolumeClaim', spec },
        metadata: { name: `${metadata.name}-${podName(set)}` },
      })),
    ),
  ]
  const group = (sets[0]!.spec.template.spec.securityContext as { readonly fsGroup?: number }).fsGroup
  const annotations = { 'volume.podman.io/uid': `${group}`, 'volume.podman.io/gid': `${group}` }
  const objects = [
    ...maps.map((map) => ({ ...map, metadata: { name: named(map.metadata.name) } })),
    ...claims.map((claim) => ({ ...claim, metadata: { name: named(claim.metadata.name), annotations } })),
    ...sets.map((set) => ({
      ...{ apiVersion: 'v1', kind: 'Pod' },
      metadata: { name: named(podName(set)), labels: set.spec.template.metadata.labels },
      spec: { ...podOf(set, named), hostAliases, restartPolicy: 'OnFailure' },
    })),
  ]
  return {
    text: objects.map((object) => stringify(object)).join('---\n'),
    volumes: [...maps, ...claims].map(({ metadata }) => named(metadata.name)),
    pods: sets.map((set, index): Played => {
      const [name, pod] = [named(podName(set)), set.spec.template.spec]
      return { name, pod, address: addressOf(index), container: `${name}-${pod.containers[0]!.name}` }
    }),
  }
}

type Set = OfKind<'StatefulSet'>

const podName = ({ metadata }: Set) => `${metadata.name}-0`

const initContainers = ({ spec: { template } }: Set) => template.spec.initContainers?.length ?? 0

function podOf(set: Set, named: (name: string) => string): Pod {
  const { template, volumeClaimTemplates = [] } = set.spec
  const claimed = volumeClaimTemplates.map(({ metadata: { name } }) => ({
    name,
    persistentVolumeClaim: { claimName: `${name}-${podName(set)}` },
  }))
  // podman's own volume for an emptyDir has its name in the pod: two pods with a `tmp` would share one
  const local = (name: string) => `${podName(set)}-${name}`
  const containers = (list: readonly Container[] = []) =>
    list.map(({ startupProbe, livenessProbe, readinessProbe, ports, volumeMounts = [], ...kept }) => ({
      ...kept,
      volumeMounts: volumeMounts.map((mount) => ({ ...mount, name: local(mount.name) })),
    }))
  return {
    ...template.spec,
    initContainers: containers(template.spec.initContainers),
    containers: containers(template.spec.containers),
    volumes: [...(template.spec.volumes ?? []), ...claimed].map((volume) => ({
      ...pointing(volume, named),
      name: local(volume.name),
    })),
  }
}

/** The volume with the names of what it takes its files from. */
function pointing({ configMap, persistentVolumeClaim, ...volume }: Volume, named: (name: string) => string): Volume {
  return {
    ...volume,
    ...(configMap && { configMap: { ...configMap, name: named(configMap.name) } }),
    ...(persistentVolumeClaim && { persistentVolumeClaim: { claimName: named(persistentVolumeClaim.claimName) } }),
  }
}
