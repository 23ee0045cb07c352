import { daemonOf, ofKind, podsOf, selects } from '../manifest.js'
import { type Check, when } from './check.js'

export const selectors: Check = {
  name: 'selectors find pods, and names find objects',
  findings: (manifests) => {
    const pods = podsOf(manifests)
    const sets = ofKind(manifests, 'StatefulSet')
    const owners = [...sets, ...ofKind(manifests, 'Deployment')]
    const services = ofKind(manifests, 'Service')
    const selecting = [
      ...services.map(({ kind, metadata, spec }) => ({ kind, metadata, selector: spec.selector })),
      ...ofKind(manifests, 'PodDisruptionBudget').map(({ kind, metadata, spec }) => ({
        ...{ kind, metadata, selector: spec.selector.matchLabels },
      })),
      ...ofKind(manifests, 'NetworkPolicy').map(({ kind, metadata, spec }) => ({
        ...{ kind, metadata, selector: spec.podSelector.matchLabels },
      })),
    ]
    const ids = manifests.map(({ kind, metadata }) => `${kind} ${metadata.name}`)
    return [
      ...selecting.flatMap(({ kind, metadata, selector }) =>
        when(
          !selector || !pods.some(({ labels }) => selects(selector, labels)),
          `${kind} ${metadata.name} finds no pod`,
        ),
      ),
      ...owners.flatMap(({ metadata, spec }) =>
        when(
          !selects(spec.selector.matchLabels, spec.template.metadata.labels),
          `${metadata.name} does not find its own`,
        ),
      ),
      ...sets.flatMap(({ metadata, spec }) =>
        when(
          !services.some((service) => service.metadata.name === spec.serviceName && service.spec.clusterIP === 'None'),
          `${metadata.name}: ${spec.serviceName} is no headless service`,
        ),
      ),
      ...ids.filter((id, i) => ids.indexOf(id) !== i).map((id) => `${id} is there twice`),
    ]
  },
}

export const oneWriter: Check = {
  name: 'there is one daemon at most, and its checkpoints stay',
  findings: (manifests) => {
    const daemon = daemonOf(manifests)
    if (!daemon) return []
    const scaled = ofKind(manifests, 'ScaledObject').some(
      ({ spec }) => spec.scaleTargetRef.name === daemon.metadata.name,
    )
    const { replicas, volumeClaimTemplates = [], persistentVolumeClaimRetentionPolicy: policy } = daemon.spec
    const modes = volumeClaimTemplates.flatMap(({ spec }) => spec.accessModes)
    return [
      ...when(scaled ? replicas !== undefined : replicas !== 1, `replicas is ${replicas}`),
      ...when(
        modes.some((mode) => !mode.startsWith('ReadWriteOnce')),
        `checkpoints can be mounted twice: ${modes}`,
      ),
      ...when(policy?.whenScaled !== 'Retain' || policy.whenDeleted !== 'Retain', 'checkpoints go with the pod'),
    ]
  },
}

export const drains: Check = {
  name: 'no disruption budget blocks a drain',
  findings: (manifests) =>
    ofKind(manifests, 'PodDisruptionBudget').flatMap(({ metadata, spec }) => [
      ...when(spec.minAvailable !== undefined, `${metadata.name} wants minAvailable ${spec.minAvailable}`),
      ...when(
        !/^[1-9]\d*$|^100%$/.test(String(spec.maxUnavailable)),
        `${metadata.name} lets ${spec.maxUnavailable} go`,
      ),
      ...when(spec.unhealthyPodEvictionPolicy !== 'AlwaysAllow', `${metadata.name} keeps a pod that is not ready`),
    ]),
}
