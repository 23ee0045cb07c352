import { basename, dirname } from 'node:path'
import { workersOf } from '../../../src/config/devices.js'
import { daemonOf, type Manifest, ofKind } from '../manifest.js'
import { type Check, when } from './check.js'
import { configOf } from './config.js'

const MECHANISMS: Readonly<Record<string, string>> = {
  ...{
    plain: 'plaintext',
    'scram-sha-256': 'scram_sha256',
    'scram-sha-512': 'scram_sha512',
    oauthbearer: 'oauthbearer',
  },
}
const SHORTEST_COOLDOWN_S = 15 * 60
const WORKERS = 'bcod-worker'

const others = (manifests: readonly Manifest[]) =>
  ofKind(manifests, 'ScaledObject').filter(({ metadata }) => metadata.name !== WORKERS)

export const scaling: Check = {
  name: 'KEDA scales between 0 and 1 by the lag of the very group, and is slow to stop a daemon',
  findings: (manifests) =>
    others(manifests).flatMap(({ spec }) => {
      const { scaleTargetRef, minReplicaCount, maxReplicaCount, cooldownPeriod, triggers } = spec
      const { stream, batch } = configOf(manifests)
      const asked = {
        bootstrapServers: stream.brokers.join(','),
        consumerGroup: stream.groupId,
        topic: stream.topic,
        sasl: stream.sasl.mechanism === null ? 'none' : MECHANISMS[stream.sasl.mechanism],
        tls: stream.tls.enabled ? 'enable' : 'disable',
        offsetResetPolicy: 'earliest',
      }
      const authentications = ofKind(manifests, 'TriggerAuthentication')
      const pod = daemonOf(manifests)?.spec.template.spec
      const variables = (pod?.containers ?? []).flatMap(({ env = [] }) =>
        env.map(({ valueFrom }) => `${valueFrom?.secretKeyRef?.name} ${valueFrom?.secretKeyRef?.key}`),
      )
      const { ca, cert, key: privateKey } = stream.tls
      const files = (pod?.volumes ?? []).flatMap(({ name, secret }) =>
        (pod?.containers ?? [])
          .flatMap(({ volumeMounts = [] }) => volumeMounts.filter((mount) => mount.name === name))
          .flatMap(({ mountPath }) =>
            [ca, cert, privateKey]
              .filter((path) => path !== null && dirname(path) === mountPath)
              .map((path) => `${secret?.secretName} ${basename(path!)}`),
          ),
      )
      const known = [...variables, ...files]
      return [
        ...when(minReplicaCount !== 0 || maxReplicaCount !== 1, `between ${minReplicaCount} and ${maxReplicaCount}`),
        ...when(cooldownPeriod < SHORTEST_COOLDOWN_S, `cools down for ${cooldownPeriod} s`),
        ...when(
          scaleTargetRef.kind !== 'StatefulSet' || scaleTargetRef.name !== daemonOf(manifests)?.metadata.name,
          `scales ${scaleTargetRef.kind} ${scaleTargetRef.name}`,
        ),
        ...triggers.flatMap(({ metadata, authenticationRef }) => {
          const authentication = authentications.find(({ metadata: { name } }) => name === authenticationRef?.name)
          return [
            ...Object.entries(asked).flatMap(([name, value]) =>
              when(metadata[name] !== value, `${name}: ${metadata[name]}`),
            ),
            ...when(!(Number(metadata.activationLagThreshold) < batch.size), 'a full batch would not start a daemon'),
            ...when(authentication === undefined, `there is no TriggerAuthentication ${authenticationRef?.name}`),
            ...(authentication?.spec.secretTargetRef ?? []).flatMap(({ name, key }) =>
              when(!known.includes(`${name} ${key}`), `the daemon knows no secret ${name} ${key}`),
            ),
          ]
        }),
      ]
    }),
}

export const workerScaling: Check = {
  name: 'KEDA runs workers while there is a daemon, as many as the daemon knows',
  findings: (manifests) =>
    ofKind(manifests, 'ScaledObject')
      .filter(({ metadata }) => metadata.name === WORKERS)
      .flatMap(({ spec: { scaleTargetRef, minReplicaCount, maxReplicaCount, triggers } }) => {
        const set = ofKind(manifests, 'StatefulSet').find(({ metadata }) => metadata.name === scaleTargetRef.name)
        const labels = Object.entries(daemonOf(manifests)?.spec.template.metadata.labels ?? {})
        const workers = workersOf(configOf(manifests).devices)
        return [
          ...when(set?.metadata.name !== WORKERS, `scales ${scaleTargetRef.kind} ${scaleTargetRef.name}`),
          ...when(set !== undefined && 'replicas' in set.spec, 'applying the manifests sets its number back'),
          ...when(minReplicaCount !== 0, `${minReplicaCount} without a daemon`),
          ...when(maxReplicaCount !== workers.length, `at most ${maxReplicaCount}, the daemon knows ${workers.length}`),
          ...triggers.flatMap(({ type, metadata: { podSelector, value } }) => [
            ...when(type !== 'kubernetes-workload', `is asked of ${type}`),
            ...when(!labels.some(([key, of]) => podSelector === `${key}=${of}`), `goes by pods ${podSelector}`),
            ...when(1 / Number(value) !== maxReplicaCount, `${1 / Number(value)} for each daemon`),
          ]),
        ]
      }),
}
