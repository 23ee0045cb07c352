import { execFileSync, spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseAllDocuments } from 'yaml'

/** One object as `kubectl kustomize` renders it, with the fields that the checks look at. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: {
    readonly name: string
    readonly namespace?: string
    readonly labels?: Labels
    readonly annotations?: Labels
  }
  readonly data?: Labels
  readonly stringData?: Labels
  readonly spec?: unknown
}

export type Labels = Readonly<Record<string, string>>
export type Port = number | string

export interface Probe {
  readonly httpGet?: { readonly path: string; readonly port: Port }
  readonly tcpSocket?: { readonly port: Port }
  readonly periodSeconds?: number
  readonly failureThreshold?: number
  readonly timeoutSeconds?: number
}

export interface Container {
  readonly name: string
  readonly image: string
  readonly args?: readonly string[]
  readonly env?: readonly {
    readonly name: string
    readonly value?: string
    readonly valueFrom?: {
      readonly secretKeyRef?: { readonly name: string; readonly key: string }
      readonly fieldRef?: { readonly fieldPath: string }
    }
  }[]
  readonly ports?: readonly { readonly name: string; readonly containerPort: number; readonly protocol?: string }[]
  readonly startupProbe?: Probe
  readonly livenessProbe?: Probe
  readonly readinessProbe?: Probe
  readonly resources?: { readonly requests?: Labels; readonly limits?: Labels }
  readonly securityContext?: {
    readonly allowPrivilegeEscalation?: boolean
    readonly privileged?: boolean
    readonly readOnlyRootFilesystem?: boolean
    readonly capabilities?: { readonly drop?: readonly string[]; readonly add?: readonly string[] }
  }
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[]
}

export interface Volume {
  readonly name: string
  readonly configMap?: { readonly name: string }
  readonly persistentVolumeClaim?: { readonly claimName: string; readonly readOnly?: boolean }
  readonly secret?: { readonly secretName: string }
}

export interface Pod {
  readonly automountServiceAccountToken?: boolean
  readonly hostNetwork?: boolean
  readonly hostPID?: boolean
  readonly hostIPC?: boolean
  readonly terminationGracePeriodSeconds?: number
  readonly securityContext?: {
    readonly runAsNonRoot?: boolean
    readonly runAsUser?: number
    readonly seccompProfile?: { readonly type: string }
  }
  readonly initContainers?: readonly Container[]
  readonly containers: readonly Container[]
  readonly volumes?: readonly Volume[]
}

interface Selector {
  readonly matchLabels?: Labels
}

export interface NetworkRule {
  readonly from?: readonly unknown[]
  readonly to?: readonly unknown[]
  readonly ports?: readonly { readonly port: Port; readonly protocol?: string }[]
}

interface Trigger {
  readonly type: string
  readonly metadata: Labels
  readonly authenticationRef?: { readonly name: string }
}

/** What stands under `spec`, by kind. */
interface Specs {
  StatefulSet: {
    readonly replicas?: number
    readonly serviceName: string
    readonly selector: Selector
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod }
    readonly volumeClaimTemplates?: readonly {
      readonly metadata: { readonly name: string }
      readonly spec: { readonly accessModes: readonly string[] }
    }[]
    readonly persistentVolumeClaimRetentionPolicy?: Labels
  }
  Deployment: {
    readonly replicas?: number
    readonly selector: Selector
    readonly template: { readonly metadata: { readonly labels: Labels }; readonly spec: Pod }
  }
  HorizontalPodAutoscaler: {
    readonly scaleTargetRef: { readonly kind: string; readonly name: string }
    readonly minReplicas?: number
    readonly maxReplicas: number
    readonly metrics?: readonly { readonly type: string; readonly resource?: { readonly name: string } }[]
  }
  Service: {
    readonly clusterIP?: string
    readonly publishNotReadyAddresses?: boolean
    readonly selector: Labels
    readonly ports: readonly { readonly port: number; readonly targetPort: Port; readonly protocol?: string }[]
  }
  PodDisruptionBudget: {
    readonly minAvailable?: Port
    readonly maxUnavailable?: Port
    readonly selector: Selector
    readonly unhealthyPodEvictionPolicy?: string
  }
  NetworkPolicy: {
    readonly podSelector: Selector
    readonly policyTypes: readonly string[]
    readonly ingress?: readonly NetworkRule[]
    readonly egress?: readonly NetworkRule[]
  }
  PodMonitor: {
    readonly jobLabel?: string
    readonly selector: Selector
    readonly podMetricsEndpoints: readonly { readonly port: string; readonly path: string }[]
  }
  PrometheusRule: {
    readonly groups: readonly { readonly rules: readonly { readonly alert?: string; readonly expr: string }[] }[]
  }
  ScaledObject: {
    readonly scaleTargetRef: { readonly kind: string; readonly name: string }
    readonly minReplicaCount: number
    readonly maxReplicaCount: number
    readonly cooldownPeriod: number
    readonly triggers: readonly Trigger[]
  }
  TriggerAuthentication: {
    readonly secretTargetRef: readonly { readonly parameter: string; readonly name: string; readonly key: string }[]
  }
}

export type OfKind<Kind extends keyof Specs> = Manifest & { readonly spec: Specs[Kind] }

export const ofKind = <Kind extends keyof Specs>(manifests: readonly Manifest[], kind: Kind) =>
  manifests.filter((manifest): manifest is OfKind<Kind> => manifest.kind === kind)

/** Every pod with the labels that selectors find it by. */
export const podsOf = (manifests: readonly Manifest[]) =>
  [...ofKind(manifests, 'StatefulSet'), ...ofKind(manifests, 'Deployment')].map(({ metadata, spec: { template } }) => ({
    name: metadata.name,
    labels: template.metadata.labels,
    pod: template.spec,
    containers: [...(template.spec.initContainers ?? []), ...template.spec.containers],
  }))

/** The StatefulSet that runs bcod; undefined if the manifests have none (monitoring). */
export const daemonOf = (manifests: readonly Manifest[]) =>
  ofKind(manifests, 'StatefulSet').find(({ metadata }) => metadata.name === 'bcod')

/** The Deployment of the gateway; undefined if the manifests have none (monitoring). */
export const gatewayOf = (manifests: readonly Manifest[]) =>
  ofKind(manifests, 'Deployment').find(({ metadata }) => metadata.name === 'bcod-gateway')

export const selects = (selector: Labels | undefined, labels: Labels): boolean =>
  Object.entries(selector ?? {}).every(([name, value]) => labels[name] === value)

/** `4`, `500m`, `6Gi` as a number; NaN where it is no quantity. */
export function amount(quantity: string): number {
  const [, number, unit] = /^([\d.]+)(m|k|M|G|Ki|Mi|Gi|Ti)?$/.exec(quantity) ?? []
  const factors: Record<string, number> = {
    ...{ m: 1e-3, k: 1e3, M: 1e6, G: 1e9 },
    ...{ Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 },
  }
  return Number(number) * (unit === undefined ? 1 : factors[unit]!)
}

export const K8S = fileURLToPath(new URL('../../deploy/k8s/', import.meta.url))

/** False on a machine without kubectl, where nothing can be rendered. */
export const canRender = spawnSync('kubectl', ['kustomize', '--help'], { stdio: 'ignore' }).status === 0
if (!canRender) console.warn('deploy/k8s is not rendered and not checked: kubectl is missing on this machine')

/** What `kubectl apply -k` would apply. */
export function render(directory: string): readonly Manifest[] {
  const text = execFileSync('kubectl', ['kustomize', directory], { encoding: 'utf8', maxBuffer: 2 ** 26 })
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest)
}
