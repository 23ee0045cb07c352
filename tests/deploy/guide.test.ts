import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { environmentName, settings } from '../../src/config/schema.js'
import { ERRORS } from '../../src/errors.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { allChecks } from './checks/all.js'
import { images, resources, restricted } from './checks/pod.js'
import { scaling } from './checks/scaling.js'
import { blocks, file, guide, packBatch } from './guide.js'
import { canRender, type Manifest, type OfKind, ofKind, podsOf, render } from './manifest.js'

/** What the lines hand to `kubectl apply -f -`. */
const applied = blocks('sh')
  .flatMap((script) => [...script.matchAll(/<<'EOF'\n([\s\S]*?)^EOF$/gm)].map((match) => match[1]!))
  .flatMap((text) => parseAllDocuments(text).map((document) => document.toJS() as Manifest))

describe('docs/deployment.md', () => {
  it('has lines that bash parses, and names directories that are there', () => {
    for (const script of blocks('sh')) execFileSync('bash', ['-n', '-c', script])
    const paths = [...guide.matchAll(/deploy\/k8s(\/[\w/-]+)?/g)].map(([path]) => path)
    for (const path of paths) expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true)
  })

  it('names variables and codes that there are', () => {
    const known = [...[...settings.keys()].map(environmentName), 'BCOD_TF']
    for (const [name] of guide.matchAll(/\bBCOD_[A-Z_]+/g)) expect(known).toContain(name)
    for (const [, code] of guide.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)) expect(Object.keys(ERRORS)).toContain(code)
  })

  it('sends votes that are accepted', () => {
    const rows = [...guide.matchAll(/echo '(\{.*\})'/g)].map((match) => match[1]!)
    const position = { topic: 'feedback', partition: 0, offset: 0, timestamp: 0 }
    const votes = rows.map((row) =>
      toFeedback(decodeEnvelope(Buffer.from(row), {}, 2 ** 20), position, { vocabSize: 1000 }),
    )
    expect(votes.map(({ label }) => label)).toEqual([true, false, true, false])
  })

  it('loads the model with a pod that the namespace lets in, into the claim that the base mounts', () => {
    const pods = applied.filter(({ kind }) => kind === 'Pod')
    expect(pods).toHaveLength(1)
    const asSet = pods.map(({ metadata, spec }) => ({
      ...{ apiVersion: 'apps/v1', kind: 'StatefulSet', metadata },
      spec: { template: { metadata: { labels: {} }, spec } },
    }))
    for (const { findings } of [restricted, resources, images]) expect(findings(asSet)).toEqual([])
    const claims = applied.filter(({ kind }) => kind === 'PersistentVolumeClaim').map(({ metadata }) => metadata.name)
    expect(claims).toEqual(['bcod-model', 'state-bcod-0', 'bcod-adapters'])
  })

  /** What the overlay of the guide renders, as it stands or with the component gpu, as its comments say. */
  function overlay(gpu: boolean): readonly Manifest[] {
    const directory = mkdtempSync(join(tmpdir(), 'bcod-overlay-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    const kustomization = file('my-bcod/kustomization.yaml')
    const withGpu = kustomization.replace('  # - ../', '  - ../').replace('newTag: 0.1.0 ', 'newTag: 0.1.0-gpu ')
    packBatch(directory, gpu ? withGpu : kustomization)
    return render(join(directory, 'my-bcod'))
  }

  it.skipIf(!canRender).each([
    [false, '0.1.0', 0],
    [true, '0.1.0-gpu', 1],
  ])('shows an overlay that can be applied: KEDA, monitoring, and a GPU (%s)', (gpu, tag, gpus) => {
    const manifests = overlay(gpu)
    for (const { name, findings } of allChecks(manifests).values()) expect(findings(manifests), name).toEqual([])
    const text = JSON.stringify(manifests)
    expect(text).toContain(`"registry.example.com/bcod:${tag}"`)
    expect(text.match(/"limits":\{[^}]*"nvidia.com\/gpu":"1"/g) ?? []).toHaveLength(gpus)
    for (const { metadata } of manifests) {
      expect(metadata.namespace, metadata.name).toBe('bcod')
      expect(metadata.labels?.release, metadata.name).toBe('kube-prometheus-stack')
    }
  })

  it.skipIf(!canRender)('gives alerts a link, and the daemon and KEDA the authority of the brokers', () => {
    const manifests = overlay(false)
    const links = JSON.stringify(manifests).match(/"runbook_url":"[^"]*"/g)!
    expect(links.length).toBeGreaterThan(10)
    for (const link of links) expect(link).toMatch(/"https:\/\/git.example.com\/bcod\/docs\/runbook.md#bcod[a-z]+"/)
    for (const { pod } of podsOf(manifests))
      expect(pod.volumes).toContainEqual({ name: 'kafka-ca', secret: { secretName: 'bcod-kafka-ca' } })
    const [{ pod, containers }] = podsOf(manifests) as [ReturnType<typeof podsOf>[number]]
    expect(pod.volumes).toContainEqual({ name: 'kafka-ca', secret: { secretName: 'bcod-kafka-ca' } })
    const { ca } = (parse(file('my-bcod/bcod.yaml')) as { stream: { tls: { ca: string } } }).stream.tls
    expect(containers[0]!.volumeMounts!.map(({ mountPath }) => mountPath)).toContain(dirname(ca))
    const [{ spec }] = ofKind(manifests, 'TriggerAuthentication') as [OfKind<'TriggerAuthentication'>]
    expect(spec.secretTargetRef.map(({ parameter }) => parameter)).toEqual(['username', 'password', 'ca'])
    const wrong = JSON.parse(JSON.stringify(manifests).replace('{"key":"ca.crt"', '{"key":"tls.crt"'))
    expect(scaling.findings(wrong)).toEqual(['the daemon knows no secret bcod-kafka-ca tls.crt'])
  })

  it.skipIf(!canRender)('makes the secrets that its overlay names, with their keys', () => {
    const manifests = overlay(false)
    const pods = podsOf(manifests)
    const variables = pods.flatMap(({ containers }) =>
      containers.flatMap(({ env = [] }) => env.flatMap(({ valueFrom }) => valueFrom?.secretKeyRef ?? [])),
    )
    const { ca } = (parse(file('my-bcod/bcod.yaml')) as { stream: { tls: { ca: string } } }).stream.tls
    const mounted = pods.flatMap(({ pod }) =>
      pod.volumes!.flatMap(({ secret }) => (secret ? [{ name: secret.secretName, key: basename(ca) }] : [])),
    )
    const targets = ofKind(manifests, 'TriggerAuthentication').flatMap(({ spec }) => spec.secretTargetRef)
    const named = [...variables, ...mounted, ...targets].map(({ name, key }) => `${name} ${key}`)
    const created = [...guide.matchAll(/create secret generic (\S+) (.*)/g)].flatMap(([, name, flags]) =>
      [...flags!.matchAll(/--from-(?:literal|file)=([\w.]+)/g)].map(([, key]) => `${name} ${key}`),
    )
    // twice those of the gateway: for the trial, too
    expect(created).toHaveLength(10)
    for (const each of created) expect(named).toContain(each)
    // what the guide leaves to its reader: the keys of services beside the daemon and the gateway
    expect(new Set(named.filter((each) => !created.includes(each)))).toEqual(
      new Set(['bcod-tokens embeddings', 'bcod-gateway upstreamKey']),
    )
  })
})
