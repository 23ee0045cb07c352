import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { environmentName, settings } from '../../src/config/schema.js'
import { ERRORS } from '../../src/errors.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { allChecks } from './checks/all.js'
import { images, resources, restricted } from './checks/pod.js'
import { canRender, K8S, type Manifest, render } from './manifest.js'

const guide = readFileSync(new URL('../../docs/deployment.md', import.meta.url), 'utf8')
const blocks = (language: string) =>
  [...guide.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm'))].map((match) => match[1]!)
/** The block that follows the name of a file. */
const file = (name: string) =>
  new RegExp(`^\`${name}\`[^\\n]*\\n\\n\`\`\`yaml\\n([\\s\\S]*?)^\`\`\``, 'm').exec(guide)![1]!

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
    const known = [...settings.keys()].map(environmentName)
    for (const [name] of guide.matchAll(/\bBCOD_[A-Z_]+/g)) expect(known).toContain(name)
    for (const [, code] of guide.matchAll(/`([A-Z]+(?:_[A-Z]+)+)`/g)) expect(Object.keys(ERRORS)).toContain(code)
  })

  it('sends votes that are accepted', () => {
    const rows = [...guide.matchAll(/echo '(\{.*\})'/g)].map((match) => match[1]!)
    const position = { topic: 'feedback', partition: 0, offset: 0, timestamp: 0 }
    const votes = rows.map((row) =>
      toFeedback(decodeEnvelope(Buffer.from(row), {}, 2 ** 20), position, { vocabSize: 1000 }),
    )
    expect(votes.map(({ label }) => label)).toEqual([true, false])
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
    expect(claims).toEqual(['bcod-model', 'state-bcod-0'])
  })

  it.skipIf(!canRender)('shows an overlay that can be applied: GPU, KEDA and monitoring at once', () => {
    const directory = mkdtempSync(join(tmpdir(), 'bcod-overlay-'))
    onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
    cpSync(K8S, join(directory, 'bcod/deploy/k8s'), { recursive: true })
    mkdirSync(join(directory, 'my-bcod'))
    for (const name of ['kustomization.yaml', 'bcod.yaml'])
      writeFileSync(join(directory, 'my-bcod', name), file(`my-bcod/${name}`))
    const manifests = render(join(directory, 'my-bcod'))
    for (const { name, findings } of allChecks(manifests).values()) expect(findings(manifests), name).toEqual([])
    const text = JSON.stringify(manifests)
    expect(text).toContain('"registry.example.com/bcod:0.1.0-gpu"')
    for (const { metadata } of manifests) expect(metadata.namespace, metadata.name).toBe('bcod')
  })
})
