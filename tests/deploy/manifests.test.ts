import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { NEVER } from 'rxjs'
import { describe, expect, it, onTestFinished } from 'vitest'
import { StatusServer } from '../../src/server/server.js'
import { allChecks } from './checks/all.js'
import { PROBE_PATHS } from './checks/pod.js'
import { canRender, daemonOf, K8S, render } from './manifest.js'

/** Everything that a person can apply. */
const OVERLAYS = ['cpu-dev', 'gpu', 'keda', 'monitoring', 'workers', 'workers-keda']
const ENTRIES = ['base', ...OVERLAYS.map((name) => `overlays/${name}`)]

describe.skipIf(!canRender)('deploy/k8s', () => {
  const base = canRender ? render(join(K8S, 'base')) : []

  it('has no overlay that is not checked here', () => {
    expect(readdirSync(join(K8S, 'overlays')).sort()).toEqual(OVERLAYS)
  })

  describe.each(ENTRIES)('%s', (entry) => {
    const manifests = canRender ? render(join(K8S, entry)) : []

    it.each([...allChecks(base).values()])('$name', ({ findings }) => {
      expect(findings(manifests)).toEqual([])
    })
  })

  it('asks for a whole GPU, and for the image that can use it, in gpu alone', () => {
    const containerOf = (entry: string) => daemonOf(render(join(K8S, entry)))!.spec.template.spec.containers[0]!
    const [plain, gpu] = [containerOf('base'), containerOf('overlays/gpu')]
    expect(plain.resources?.limits).not.toHaveProperty('nvidia.com/gpu')
    expect(gpu.resources?.limits).toMatchObject({ 'nvidia.com/gpu': '1' })
    expect(gpu.image).toBe(`${plain.image}-gpu`)
  })

  it('gives a reason for each finding of kube-score that is set aside, where it is set aside', () => {
    const files = readdirSync(K8S, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.yaml'))
    const ignoring = files
      .map((name) => readFileSync(join(K8S, name), 'utf8'))
      .filter((text) => text.includes('kube-score/'))
    expect(ignoring.length).toBeGreaterThan(0)
    for (const text of ignoring) {
      const [, ids] = /kube-score\/ignore: (.*)/.exec(text)!
      for (const id of ids!.split(',')) expect(text).toMatch(new RegExp(`# ${id}: \\w`))
    }
  })

  it('tries Kafka out in the version that the README names', () => {
    const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8')
    const images = render(join(K8S, 'overlays/cpu-dev')).map((manifest) => JSON.stringify(manifest))
    expect(images.join('\n')).toContain(`"image":"${/apache\/kafka:[\d.]+/.exec(readme)![0]}"`)
  })
})

describe('the paths that probes may ask for', () => {
  it('are answered by the server', async () => {
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
    const port = await server.listen()
    onTestFinished(() => server.close())
    for (const path of [...PROBE_PATHS, '/metrics'])
      expect((await fetch(`http://127.0.0.1:${port}${path}`)).status, path).toBe(200)
  })
})
