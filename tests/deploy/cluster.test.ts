import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ControlPlane, whyNoKubernetes } from '../support/kubernetes.js'
import { blocks, guide, packBatch } from './guide.js'

/** `make cluster-test`: the first time it builds Kubernetes' control plane, which takes ten minutes. */
const asked = process.env.BCOD_TEST_CLUSTER === '1'
const missing = whyNoKubernetes()
if (asked && missing !== null) throw new Error(`make cluster-test needs ${missing}`)

/** The lines of a section of the guide. */
const lines = (section: string) => blocks('sh', section).join('\n')

/** What needs nodes, a broker or a registry is left out; every other line runs, and must succeed. */
const PREAMBLE = `
kubectl() {
  case "$*" in
    *" wait --for=condition="*|*" wait --for=jsonpath="*|*" exec "*|*" port-forward "*|*" logs "*|*" --watch"|*" rollout status "*)
      if [ ! -t 0 ]; then timeout 1 cat > /dev/null; fi; return 0 ;;
    diff*) command kubectl "$@" > /dev/null; [ $? -le 1 ] || echo "FAILED: kubectl $*" >&2 ;;
    *) command kubectl "$@" || echo "FAILED: kubectl $*" >&2 ;;
  esac
}
for tool in kafka-topics.sh kafka-acls.sh kafka-console-producer.sh podman tar curl; do
  eval "$tool() { :; }"
done
`

describe.skipIf(!asked)('deploy/k8s on a real API server', () => {
  let directory: string
  let plane: ControlPlane

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'bcod-cluster-'))
    plane = await ControlPlane.start()
    plane.addOperators()
    // what the chart kube-prometheus-stack leaves
    const grafana = ['kube-prometheus-stack-grafana', '--from-literal=admin-password=x']
    expect(plane.kubectl('create', 'namespace', 'monitoring').status).toBe(0)
    expect(plane.kubectl('-n', 'monitoring', 'create', 'secret', 'generic', ...grafana).status).toBe(0)
    packBatch(directory)
    writeFileSync(join(directory, 'ca.crt'), 'a certificate')
  }, 1_800_000)

  afterAll(async () => {
    await plane?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Runs the lines as they stand, one after the other; `typed` is what they ask for. */
  function follow(script: string, typed = ''): void {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', PREAMBLE + script], {
      ...{ cwd: directory, input: typed, encoding: 'utf8', env: { ...process.env, KUBECONFIG: plane.config } },
    })
    const output = stdout + stderr
    if (status !== 0 || output.includes('FAILED')) throw new Error(output)
  }

  /** Waits for a pod of which `holds` is true. */
  async function pod(
    namespace: string,
    name: string | RegExp,
    holds: (pod: Created) => boolean = () => true,
  ): Promise<Created> {
    const failures = () =>
      plane.kubectl('-n', namespace, 'get', 'events', '--field-selector', 'reason=FailedCreate').stdout
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(200)) {
      const { items } = plane.get('-n', namespace, 'pods') as { items: Created[] }
      const isNamed = (found: string) => (typeof name === 'string' ? found === name : name.test(found))
      const found = items.find(({ metadata }) => isNamed(metadata.name))
      if (found !== undefined && holds(found)) return found
    }
    throw new Error(`no pod ${name} as it should be\n${failures()}`)
  }

  it('notices a line that fails', () => {
    expect(() => follow('kubectl get nothing')).toThrow('FAILED: kubectl get nothing')
    expect(() => follow('kubectl get nothing | base64 -d')).toThrow('FAILED: kubectl get nothing')
    expect(() => follow('TOKEN=$(kubectl get nothing)')).toThrow('FAILED: kubectl get nothing')
    expect(() => follow('kubectl diff -k nowhere')).toThrow('FAILED: kubectl diff -k nowhere')
  })

  const image = ({ spec }: Created) => spec.containers[0]!.image

  it('admits the pods of cpu-dev under the restricted standard', async () => {
    const { status, stderr } = plane.kubectl('apply', '-k', join(directory, 'bcod/deploy/k8s/overlays/cpu-dev'))
    expect(status, stderr).toBe(0)
    expect(image(await pod('bcod-dev', 'bcod-0'))).toBe('bcod:0.1.0')
    expect(image(await pod('bcod-dev', 'kafka-0'))).toBe('apache/kafka:4.1.0')
    expect(image(await pod('bcod-dev', /^model-/))).toBe('vllm/vllm-openai-cpu:v0.32.0-x86_64')
    expect(image(await pod('bcod-dev', /^bcod-gateway-/))).toBe('bcod:0.1.0')
    const root = ['run', 'root', '--image=debian', '--restart=Never']
    expect(plane.kubectl('-n', 'bcod-dev', ...root).stderr).toContain('violates PodSecurity "restricted')
    expect(plane.kubectl('delete', 'namespace', 'bcod-dev', '--wait=false').status).toBe(0)
  }, 60_000)

  it('takes the guide, from the namespace to the dashboards', async () => {
    follow(lines('Deploy it'), 'secret\n')
    expect(image(await pod('bcod', 'bcod-0'))).toBe('registry.example.com/bcod:0.1.0')
    const { data } = plane.get('-n', 'bcod', 'secret', 'bcod-kafka')
    expect(Buffer.from(data.password, 'base64').toString()).toBe('secret')
    expect(Buffer.from(plane.get('-n', 'bcod', 'secret', 'bcod-tokens').data.admin, 'base64').toString()).toMatch(
      /^[0-9a-f]{64}$/,
    )
    for (const kind of [
      'podmonitor',
      'prometheusrule',
      'scaledobject',
      'triggerauthentication',
      'networkpolicy',
      'pdb',
    ])
      expect(plane.get('-n', 'bcod', kind).items.length, kind).toBeGreaterThan(0)
    const dashboards = plane.get('-n', 'bcod', 'configmap', '-l', 'grafana_dashboard').items
    expect(dashboards).toHaveLength(5)
    // the model's loader has been deleted again, its claim is there
    // the daemon, and two gateways once the autoscaler has seen that there is one
    await expect.poll(() => plane.get('-n', 'bcod', 'pods').items.length, { timeout: 45_000 }).toBe(3)
    const claims = plane.get('-n', 'bcod', 'pvc').items as Created[]
    expect(claims.map(({ metadata }) => metadata.name).sort()).toEqual(['bcod-adapters', 'bcod-model', 'state-bcod-0'])
  }, 120_000)

  it('upgrades, rolls back, and stops and starts as the guide says', async () => {
    const path = join(directory, 'my-bcod/kustomization.yaml')
    writeFileSync(path, readFileSync(path, 'utf8').replace('newTag: 0.1.0', 'newTag: 0.1.1'))
    follow(lines('Upgrade'))
    const template = () => plane.get('-n', 'bcod', 'statefulset', 'bcod').spec.template as Created
    expect(image(template())).toBe('registry.example.com/bcod:0.1.1')
    follow(lines('Roll back'))
    expect(image(template())).toBe('registry.example.com/bcod:0.1.0')
    await pod('bcod', 'bcod-0', (created) => image(created).endsWith(':0.1.0'))
    follow(lines('Pause and checkpoint'))
    follow(lines('Scale to 0'))
    expect(plane.get('-n', 'bcod', 'statefulset', 'bcod').spec.replicas).toBe(1)
  }, 60_000)

  it('backs up and restores as the guide says', async () => {
    const before = await pod('bcod', 'bcod-0')
    follow(lines('Back up and restore'))
    expect(plane.get('-n', 'bcod', 'volumesnapshot').items).toHaveLength(2)
    const created = await pod('bcod', 'bcod-0', ({ metadata }) => metadata.uid !== before.metadata.uid)
    expect(created.spec.volumes.map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName)).toContain(
      'state-bcod-0',
    )
    for (const name of ['state-bcod-0', 'bcod-adapters'])
      expect(plane.get('-n', 'bcod', 'pvc', name).spec.dataSource.kind, name).toBe('VolumeSnapshot')
    const accepted = () => JSON.stringify(plane.get('-n', 'bcod', 'statefulset', 'bcod')).includes('ACCEPT_GAP')
    const [set, unset] = guide.match(/kubectl -n bcod set env \S+ BCOD_STREAM_ACCEPT_GAP[^`]*/g)!
    follow(set!)
    expect(accepted()).toBe(true)
    follow(unset!)
    expect(accepted()).toBe(false)
  }, 60_000)
})

interface Created {
  readonly metadata: { readonly name: string; readonly uid: string }
  readonly spec: {
    readonly containers: readonly { readonly image: string }[]
    readonly volumes: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[]
  }
}
