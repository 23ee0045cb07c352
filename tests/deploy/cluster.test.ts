import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ControlPlane, whyNoKubernetes } from '../support/kubernetes.js'
import { K8S } from './manifest.js'

/** `make cluster-test`: the first time it builds Kubernetes' control plane, which takes ten minutes. */
const asked = process.env.BCOD_TEST_CLUSTER === '1'
const missing = whyNoKubernetes()
if (asked && missing !== null) console.error(`cluster-test: skipped: ${missing} missing`)

const guide = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')

/** The lines of a section of the guide. */
const lines = (title: string) =>
  [
    ...guide
      .split(/^## /m)
      .find((section) => section.startsWith(`${title}\n`))!
      .matchAll(/^```sh\n([\s\S]*?)^```/gm),
  ]
    .map(([, script]) => script)
    .join('\n')

/** The block that follows the name of a file. */
const file = (name: string) =>
  new RegExp(`^\`${name}\`[^\\n]*\\n\\n\`\`\`yaml\\n([\\s\\S]*?)^\`\`\``, 'm').exec(guide)![1]!

/** What needs nodes, a broker or a registry is left out; every other line runs, and must succeed. */
const PREAMBLE = `
kubectl() {
  case "$*" in
    *" wait --for=condition="*|*" wait --for=jsonpath="*|*" exec "*|*" port-forward "*|*" logs "*|*" --watch"|*" rollout status "*)
      if [ ! -t 0 ]; then timeout 1 cat > /dev/null; fi; return 0 ;;
    diff*) command kubectl "$@" > /dev/null; [ $? -le 1 ] || echo "FAILED: kubectl $*" ;;
    *) command kubectl "$@" || echo "FAILED: kubectl $*" ;;
  esac
}
for tool in kafka-topics.sh kafka-acls.sh kafka-console-producer.sh podman tar curl; do
  eval "$tool() { :; }"
done
PASSWORD=secret
`

describe.skipIf(!asked || missing !== null)('deploy/k8s on a real API server', () => {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-cluster-'))
  let plane: ControlPlane

  beforeAll(async () => {
    plane = await ControlPlane.start()
    plane.addOperators()
    cpSync(K8S, join(directory, 'bcod/deploy/k8s'), { recursive: true })
    mkdirSync(join(directory, 'my-bcod'))
    for (const name of ['kustomization.yaml', 'bcod.yaml'])
      writeFileSync(join(directory, 'my-bcod', name), file(`my-bcod/${name}`))
    writeFileSync(join(directory, 'ca.crt'), 'a certificate')
  }, 1_800_000)

  afterAll(async () => {
    await plane?.stop()
    rmSync(directory, { recursive: true, force: true })
  })

  /** Runs the lines as they stand, one after the other. */
  function follow(script: string): void {
    const { status, stdout, stderr } = spawnSync('bash', ['-c', PREAMBLE + script], {
      ...{ cwd: directory, encoding: 'utf8', env: { ...process.env, KUBECONFIG: plane.config } },
    })
    const output = stdout + stderr
    expect(status, output).toBe(0)
    expect(output).not.toContain('FAILED')
  }

  /** Waits for the pod as the StatefulSet wants it now. */
  async function pod(namespace: string, name: string, holds: (pod: Created) => boolean = () => true): Promise<Created> {
    const failures = () =>
      plane.kubectl('-n', namespace, 'get', 'events', '--field-selector', 'reason=FailedCreate').stdout
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(200)) {
      const { items } = plane.get('-n', namespace, 'pods') as { items: Created[] }
      const found = items.find(({ metadata }) => metadata.name === name)
      if (found !== undefined && holds(found)) return found
    }
    throw new Error(`no pod ${name} as it should be\n${failures()}`)
  }

  it('notices a line that fails', () => {
    expect(() => follow('kubectl get nothing')).toThrow('FAILED: kubectl get nothing')
    expect(() => follow('kubectl diff -k nowhere')).toThrow('FAILED: kubectl diff -k nowhere')
  })

  const image = ({ spec }: Created) => spec.containers[0]!.image

  it('admits the pods of cpu-dev under the restricted standard', async () => {
    const { status, stderr } = plane.kubectl('apply', '-k', join(directory, 'bcod/deploy/k8s/overlays/cpu-dev'))
    expect(status, stderr).toBe(0)
    expect(image(await pod('bcod-dev', 'bcod-0'))).toBe('bcod:0.1.0')
    expect(image(await pod('bcod-dev', 'kafka-0'))).toBe('apache/kafka:4.1.0')
    const root = ['run', 'root', '--image=debian', '--restart=Never']
    expect(plane.kubectl('-n', 'bcod-dev', ...root).stderr).toContain('violates PodSecurity "restricted')
    expect(plane.kubectl('delete', 'namespace', 'bcod-dev', '--wait=false').status).toBe(0)
  }, 60_000)

  it('takes the guide, from the namespace to the dashboards', async () => {
    follow(lines('Deploy it'))
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
    expect(dashboards).toHaveLength(3)
    // the model's loader has been deleted again, its claim is there
    expect(plane.get('-n', 'bcod', 'pods').items).toHaveLength(1)
    const claims = plane.get('-n', 'bcod', 'pvc').items as Created[]
    expect(claims.map(({ metadata }) => metadata.name).sort()).toEqual(['bcod-adapters', 'bcod-model', 'state-bcod-0'])
  }, 60_000)

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
    await pod('bcod', 'bcod-0')
    follow(lines('Back up and restore'))
    expect(plane.get('-n', 'bcod', 'volumesnapshot').items).toHaveLength(2)
    const created = await pod('bcod', 'bcod-0')
    expect(created.spec.volumes.map(({ persistentVolumeClaim }) => persistentVolumeClaim?.claimName)).toContain(
      'state-bcod-0',
    )
    for (const name of ['state-bcod-0', 'bcod-adapters'])
      expect(plane.get('-n', 'bcod', 'pvc', name).spec.dataSource.kind, name).toBe('VolumeSnapshot')
    const [gap] = /kubectl -n bcod set env \S+ BCOD_STREAM_ACCEPT_GAP=true/.exec(guide)!
    follow(gap)
    expect(JSON.stringify(plane.get('-n', 'bcod', 'statefulset', 'bcod'))).toContain('BCOD_STREAM_ACCEPT_GAP')
  }, 60_000)
})

interface Created {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly containers: readonly { readonly image: string }[]
    readonly volumes: readonly { readonly persistentVolumeClaim?: { readonly claimName: string } }[]
  }
}
