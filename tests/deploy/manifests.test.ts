import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { NEVER } from 'rxjs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { loadConfig } from '../../src/config/config.js'
import { requireFor } from '../../src/config/requirements.js'
import { environmentName, settings } from '../../src/config/schema.js'
import { StatusServer } from '../../src/server/server.js'

const directory = new URL('../../deploy/k8s/', import.meta.url)
const documents = (name: string) =>
  parseAllDocuments(readFileSync(new URL(name, directory), 'utf8')).map((document) => {
    expect(document.errors).toEqual([])
    return document.toJS()
  })

const [kustomization] = documents('kustomization.yaml')
const resources = (kustomization.resources as string[]).flatMap(documents)
const ofKind = (kind: string) => resources.filter((resource) => resource.kind === kind)
const [statefulSet] = ofKind('StatefulSet')
const [service] = ofKind('Service')
const pod = statefulSet.spec.template.spec
const [container] = pod.containers
const [generated] = kustomization.configMapGenerator
const mounts = new Map<string, string>(
  container.volumeMounts.map(({ name, mountPath }: { name: string; mountPath: string }) => [name, mountPath]),
)

describe('the ConfigMap', () => {
  const config = requireFor(loadConfig({ file: fileURLToPath(new URL(generated.files[0], directory)), env: {} }), 'run')

  it('is the configuration that the container is started with, and enough for `bcod run`', () => {
    expect(pod.volumes).toContainEqual({ name: 'config', configMap: { name: generated.name } })
    expect(container.args).toEqual(['run', '--config', `${mounts.get('config')}/${generated.files[0]}`])
    expect(config.server.host).toBe('0.0.0.0')
  })

  it('keeps checkpoints, adapters and model on volumes', () => {
    expect(config.checkpoint.dir.startsWith(`${mounts.get('state')}/`)).toBe(true)
    expect(config.adapters.dir).toBe(mounts.get('adapters'))
    expect(config.model.path).toBe(mounts.get('model'))
  })

  it('gives TensorFlow as many threads as the container has processors', () => {
    expect(String(config.model.threads)).toBe(container.resources.limits.cpu)
  })

  it('serves where the probes and the service look', async () => {
    const [port] = container.ports
    expect(port).toEqual({ name: 'http', containerPort: config.server.port })
    expect(service.spec.ports).toEqual([{ name: 'http', port: config.server.port, targetPort: port.name }])
    const server = new StatusServer(
      { host: '127.0.0.1', port: 0, adminToken: null },
      {
        metrics: async () => '',
        live: () => [],
        ready: () => [],
        status: () => ({}),
        history: () => ({}),
        tap$: NEVER,
      },
    )
    const bound = await server.listen()
    onTestFinished(() => server.close())
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe']) {
      const { httpGet } = container[probe]
      expect(httpGet.port, probe).toBe(port.name)
      expect((await fetch(`http://127.0.0.1:${bound}${httpGet.path}`)).status, probe).toBe(200)
    }
  })
})

describe('the StatefulSet', () => {
  it('runs one daemon, found by its service', () => {
    expect(statefulSet.spec).toMatchObject({ replicas: 1, serviceName: service.metadata.name })
    const { labels } = statefulSet.spec.template.metadata
    for (const selector of [service.spec.selector, statefulSet.spec.selector.matchLabels])
      expect(labels).toMatchObject(selector)
  })

  it('holds to the restricted pod security standard', () => {
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    })
    expect(container.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    })
  })

  it('gives a daemon that drains more time than the 30 s it promises', () => {
    expect(pod.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(60)
  })

  it('asks for no more than it limits', () => {
    const { requests, limits } = container.resources
    for (const resource of ['cpu', 'memory'])
      expect(amount(requests[resource])).toBeLessThanOrEqual(amount(limits[resource]))
  })

  it('mounts what is there, and may write to a temporary directory', () => {
    const volumes = [...pod.volumes, ...statefulSet.spec.volumeClaimTemplates.map(({ metadata }: Named) => metadata)]
    expect([...mounts.keys()].sort()).toEqual(volumes.map(({ name }) => name).sort())
    expect(mounts.get('tmp')).toBe('/tmp')
    const claims = ofKind('PersistentVolumeClaim').map(({ metadata }: Named) => metadata.name)
    const adapters = pod.volumes.find(({ name }: { name: string }) => name === 'adapters')
    expect(claims).toContain(adapters.persistentVolumeClaim.claimName)
  })

  it('takes secrets by reference, and only those that are secret or go with one', () => {
    const variables = new Map([...settings].map(([key]) => [environmentName(key), key]))
    for (const { name, value, valueFrom } of container.env) {
      expect(variables.has(name), name).toBe(true)
      expect(value, name).toBeUndefined()
      expect(valueFrom.secretKeyRef.optional, name).toBe(true)
    }
  })
})

interface Named {
  readonly metadata: { readonly name: string }
}

/** `4`, `500m`, `6Gi` as a number. */
function amount(quantity: string): number {
  const [, number, unit] = /^([\d.]+)(m|Ki|Mi|Gi|Ti)?$/.exec(quantity) ?? []
  const factors: Record<string, number> = { m: 1e-3, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30, Ti: 2 ** 40 }
  expect(number, quantity).toBeDefined()
  return Number(number) * (unit === undefined ? 1 : factors[unit]!)
}
