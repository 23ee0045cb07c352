import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ControlPlane, whyNoKubernetes } from '../support/kubernetes.js'
import { type NetworkRule, selects } from './manifest.js'

/** Part of `make cluster-test`. */
const asked = process.env.BCOD_TEST_CLUSTER === '1'
const missing = whyNoKubernetes()
if (asked && missing !== null) throw new Error(`make cluster-test needs ${missing}`)

const OVERLAYS = join(import.meta.dirname, '../../deploy/k8s/overlays')
const NAMESPACE = ['-n', 'bcod']
const WORKERS = ['bcod-worker-0', 'bcod-worker-1']
const PROGRAMS = 2222
const RESTRICTED = ['pod-security.kubernetes.io/enforce', 'restricted'] as const
const NAMESPACE_LABELS = { 'kubernetes.io/metadata.name': 'bcod', [RESTRICTED[0]]: RESTRICTED[1] }

type Labels = Readonly<Record<string, string>>

interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly labels: Labels }
  readonly spec: {
    readonly containers: readonly {
      readonly env: readonly { readonly name: string; readonly valueFrom?: { readonly fieldRef?: object } }[]
      readonly envFrom?: object
      readonly securityContext: { readonly readOnlyRootFilesystem: boolean }
    }[]
    readonly volumes: readonly (Readonly<Record<string, unknown>> & { readonly name: string })[]
  }
}

interface Peer {
  readonly podSelector?: { readonly matchLabels?: Labels }
  readonly namespaceSelector?: { readonly matchLabels?: Labels }
  readonly ipBlock?: object
}

interface Policy {
  readonly spec: {
    readonly podSelector: { readonly matchLabels?: Labels }
    readonly policyTypes: readonly string[]
    readonly ingress?: readonly NetworkRule[]
    readonly egress?: readonly NetworkRule[]
  }
}

describe.skipIf(!asked)('workers on a real API server', () => {
  let plane: ControlPlane

  beforeAll(async () => {
    plane = await ControlPlane.start()
    plane.addOperators()
    run('create', 'namespace', 'bcod')
    run('label', 'namespace', 'bcod', RESTRICTED.join('='))
    run(...NAMESPACE, 'apply', '-k', join(OVERLAYS, 'workers'))
  }, 1_800_000)

  afterAll(() => plane?.stop())

  function run(...args: readonly string[]): void {
    const { status, stderr } = plane.kubectl(...args)
    expect(status, stderr).toBe(0)
  }

  const pods = (): readonly Pod[] => plane.get(...NAMESPACE, 'pods').items
  const names = () => pods().map(({ metadata }) => metadata.name)
  const podOf = (name: string) => pods().find(({ metadata }) => metadata.name === name)!

  it('are admitted under the restricted standard, with nothing to lose', async () => {
    await expect.poll(() => names(), { timeout: 30_000 }).toEqual(expect.arrayContaining(['bcod-0', ...WORKERS]))
    for (const name of WORKERS) {
      const { spec } = podOf(name)
      const [{ env, envFrom, securityContext }] = spec.containers as [Pod['spec']['containers'][0]]
      expect(securityContext.readOnlyRootFilesystem).toBe(true)
      // no value of a secret, and no address of a service
      expect(envFrom).toBeUndefined()
      expect(env).toEqual([{ name: 'BCOD_WORKER_ADDRESS', valueFrom: { fieldRef: expect.anything() } }])
      // admission adds a token of the service account unless a pod renounces it
      expect(spec.volumes).toEqual([
        { name: 'config', configMap: expect.anything() },
        { name: 'model', persistentVolumeClaim: { claimName: 'bcod-model', readOnly: true } },
        { name: 'tmp', emptyDir: expect.anything() },
      ])
    }
  })

  it('are reached by the daemon alone, at one port, and reach nobody else, as the policies are stored', () => {
    const policies = plane.get(...NAMESPACE, 'networkpolicies').items as readonly Policy[]
    const everyone = [...pods().map(({ metadata }) => metadata.labels), { 'app.kubernetes.io/name': 'other' }]
    const isWorker = (labels: Labels) => labels['app.kubernetes.io/name'] === 'bcod-worker'
    const isDaemon = (labels: Labels) => labels['app.kubernetes.io/name'] === 'bcod'
    const ports = [PROGRAMS, 2223, 53, 80, 443, 9092, 9464]
    const pairs = everyone.flatMap((from) => everyone.map((to) => ({ from, to })))
    for (const { from, to } of pairs.filter((pair) => isWorker(pair.from) || isWorker(pair.to)))
      for (const port of ports) {
        const admitted = admits(policies, 'egress', from, to, port) && admits(policies, 'ingress', to, from, port)
        const between = isWorker(from) ? isDaemon(to) : isDaemon(from)
        expect(admitted, `${JSON.stringify(from)} → ${JSON.stringify(to)}:${port}`).toBe(between && port === PROGRAMS)
      }
  })

  it('leave one at a time when nodes are drained', async () => {
    for (const name of WORKERS) serves(name)
    await expect
      .poll(() => plane.get(...NAMESPACE, 'pdb', 'bcod-worker').status.disruptionsAllowed, { timeout: 30_000 })
      .toBe(1)
    const first = podOf('bcod-worker-0').metadata.uid
    expect(evict('bcod-worker-0')).toBe('')
    expect(evict('bcod-worker-1')).toContain("Cannot evict pod as it would violate the pod's disruption budget")
    // the one that went comes back with its name, and the other may go once it serves
    await expect.poll(() => podOf('bcod-worker-0')?.metadata.uid ?? first, { timeout: 30_000 }).not.toBe(first)
    serves('bcod-worker-0')
    await expect.poll(() => evict('bcod-worker-1'), { timeout: 30_000 }).toBe('')
  })

  it('with KEDA, stay as many as it has set', () => {
    run(...NAMESPACE, 'delete', 'statefulset', 'bcod-worker')
    run(...NAMESPACE, 'apply', '-k', join(OVERLAYS, 'workers-keda'))
    const scaled = plane.get(...NAMESPACE, 'scaledobject', 'bcod-worker').spec
    expect(scaled).toMatchObject({ scaleTargetRef: { name: 'bcod-worker' }, minReplicaCount: 0, maxReplicaCount: 2 })
    run(...NAMESPACE, 'scale', 'statefulset', 'bcod-worker', '--replicas=0')
    // applied again, it stays as KEDA has set it
    run(...NAMESPACE, 'apply', '-k', join(OVERLAYS, 'workers-keda'))
    expect(plane.get(...NAMESPACE, 'statefulset', 'bcod-worker').spec.replicas).toBe(0)
  })

  /** What the kubelet of a node would say of a pod. */
  function serves(name: string): void {
    const conditions = [{ type: 'Ready', status: 'True' }]
    const status = JSON.stringify({ status: { phase: 'Running', conditions } })
    run(...NAMESPACE, 'patch', 'pod', name, '--subresource=status', '--type=merge', '-p', status)
  }

  /** As `kubectl drain` asks for it. @returns why it may not go; nothing if it may */
  function evict(name: string): string {
    const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace: 'bcod' } }
    const path = `/api/v1/namespaces/bcod/pods/${name}/eviction`
    const { status, stderr } = plane.kubectlWith(JSON.stringify(eviction), 'create', '--raw', path, '-f', '-')
    return status === 0 ? '' : stderr
  }
})

/** Whether the policies of a pod let it connect to, or be reached by, another of its namespace at a port. */
function admits(
  policies: readonly Policy[],
  direction: 'ingress' | 'egress',
  pod: Labels,
  other: Labels,
  port: number,
): boolean {
  const type = direction === 'ingress' ? 'Ingress' : 'Egress'
  const own = policies.filter(
    ({ spec }) => selects(spec.podSelector.matchLabels, pod) && spec.policyTypes.includes(type),
  )
  const rules = own.flatMap(({ spec }) => spec[direction] ?? [])
  const isPeer = ({ podSelector, namespaceSelector, ipBlock }: Peer) =>
    // pods have addresses as well
    ipBlock !== undefined ||
    (selects(namespaceSelector?.matchLabels, NAMESPACE_LABELS) && selects(podSelector?.matchLabels, other))
  const reaches = (rule: NetworkRule) => {
    const peers = direction === 'ingress' ? rule.from : rule.to
    return (
      (peers === undefined || (peers as readonly Peer[]).some(isPeer)) &&
      (rule.ports === undefined || rule.ports.some((each) => each.port === port))
    )
  }
  return own.length === 0 || rules.some(reaches)
}
