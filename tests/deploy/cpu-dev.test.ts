import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseContainerfile } from '../support/containerfile.js'
import { bash, ensureBaseImage, ensureKafkaImage, makeImage, podman, whyNoImages } from '../support/image-tools.js'
import { guide } from './guide.js'
import { type Container, canRender, K8S, type Probe, render } from './manifest.js'
import { type Played, playable } from './playable.js'

/** `make image-test`: minutes, and tools that few machines have. */
const asked = process.env.BCOD_TEST_IMAGE === '1'
const missing = canRender ? null : 'kubectl is missing'
const impossible = asked ? (missing ?? (await whyNoImages())) : 'make image-test plays deploy/k8s/overlays/cpu-dev'
if (asked && impossible !== null) console.error(`image-test: cpu-dev skipped: ${impossible}`)

const NETWORK = 'bcod-dev-test'
const SUBNET = '10.89.113'
const ADAPTERS = '/var/lib/bcod/adapters'
const LIST_TOPICS = ['/opt/kafka/bin/kafka-topics.sh', '--bootstrap-server', 'kafka:9092', '--list']
const report = (text: string) => console.error(`image-test: ${text}`)

/** The lines of the guide that send votes, with podman in the place of kubectl. */
const votes = (kafka: Played) =>
  /^for i in [\s\S]*?--topic feedback$/m
    .exec(guide)![0]
    .replace('kubectl -n bcod-dev exec -i kafka-0 --', `podman exec -i ${kafka.container}`)

/** The overlay without its component, as its comment says: there is no image of vLLM here. */
function withoutModel(directory: string) {
  cpSync(K8S, directory, { recursive: true })
  const overlay = join(directory, 'overlays/cpu-dev')
  const file = join(overlay, 'kustomization.yaml')
  writeFileSync(file, readFileSync(file, 'utf8').replace('components:\n  - model\n', ''))
  return render(overlay)
}

describe.skipIf(impossible !== null)('the overlay cpu-dev, played by podman', () => {
  let directory: string
  let volumes: readonly string[] = []
  let kafka: Played
  let daemon: Played
  const containerOf = ({ pod }: Played): Container => pod.containers[0]!

  beforeAll(async () => {
    directory = mkdtempSync(join(tmpdir(), 'bcod-play-'))
    const file = join(directory, 'cpu-dev.yaml')
    const { args } = parseContainerfile(readFileSync('Containerfile', 'utf8'))
    const manifests = withoutModel(join(directory, 'k8s'))
    const played = playable(manifests, (index) => `${SUBNET}.${index + 2}`)
    ;[kafka, daemon] = played.pods as [Played, Played]
    volumes = played.volumes
    const { flags } = await ensureBaseImage(args.get('BUILD_IMAGE')!)
    await makeImage(flags)
    const kind = await ensureKafkaImage(`docker.io/${containerOf(kafka).image}`)
    writeFileSync(file, played.text)
    await remove()
    await podman('network', 'create', '--disable-dns', '--subnet', `${SUBNET}.0/24`, NETWORK)
    const begun = Date.now()
    const addresses = played.pods.flatMap(({ address }) => ['--ip', address])
    const { status, stderr } = await podman('play', 'kube', '--network', NETWORK, ...addresses, file)
    if (status !== 0) throw new Error(`${stderr}\n${await logs()}`)
    await ready()
    const seconds = Math.round((Date.now() - begun) / 1000)
    report(`cpu-dev: Kafka (${kind} image), its topic, and a daemon that is ready, in ${seconds} s`)
  }, 1_800_000)

  afterAll(async () => {
    await remove()
    rmSync(directory, { recursive: true, force: true })
  })

  const remove = async () => {
    await podman('pod', 'rm', '--force', ...[kafka, daemon].filter(Boolean).map(({ name }) => name))
    await podman('volume', 'rm', '--force', ...volumes)
    await podman('network', 'rm', '--force', NETWORK)
  }
  const logs = async () =>
    (await podman('logs', '--tail', '20', daemon.container)).stderr +
    (await podman('logs', '--tail', '20', kafka.container)).stderr

  const ask = async ({ httpGet }: Probe) => {
    const { containerPort } = containerOf(daemon).ports!.find(({ name }) => name === httpGet!.port)!
    return fetch(`http://${daemon.address}:${containerPort}${httpGet!.path}`).catch(() => null)
  }
  const ready = () => until('ready', async () => (await ask(containerOf(daemon).readinessProbe!))?.status === 200)
  const until = async (what: string, holds: () => Promise<boolean>) => {
    const deadline = Date.now() + 120_000
    while (!(await holds())) {
      if (Date.now() > deadline) throw new Error(`not ${what} after two minutes\n${await logs()}`)
      await sleep(500)
    }
  }
  const inDaemon = async (...command: readonly string[]) => {
    const { status, stdout, stderr } = await podman('exec', daemon.container, ...command)
    expect(status, stdout + stderr).toBe(0)
    return stdout.trim()
  }
  const published = (version: string) =>
    until(`live: ${version}`, async () => {
      const { stdout } = await podman('exec', daemon.container, 'node', '-p', `fs.readlinkSync('${ADAPTERS}/live')`)
      return stdout.trim() === version
    })
  const vote = async () => {
    const { status, stderr } = await bash(`set -o pipefail; ${votes(kafka)}`)
    expect(status, stderr).toBe(0)
  }

  it('answers the probes that the kubelet would ask', async () => {
    const { startupProbe, livenessProbe, readinessProbe } = containerOf(daemon)
    for (const probe of [startupProbe!, livenessProbe!, readinessProbe!]) expect((await ask(probe))!.status).toBe(200)
  })

  it('runs as strictly as the manifests say', async () => {
    const { stdout } = await podman('inspect', kafka.container, daemon.container)
    for (const { Config, HostConfig, EffectiveCaps } of JSON.parse(stdout)) {
      expect(Config.User).toBe('10001:10001')
      expect(HostConfig).toMatchObject({ ReadonlyRootfs: true, Privileged: false })
      expect(HostConfig.SecurityOpt).toContain('no-new-privileges')
      expect(EffectiveCaps ?? []).toEqual([])
    }
  })

  it('learns from the votes of the guide, and publishes', async () => {
    await vote()
    await published('v00000010')
    expect(await inDaemon('node', '-p', `fs.readdirSync('${ADAPTERS}/live')`)).toContain('adapter_model.safetensors')
    expect(await (await ask({ httpGet: { path: '/metrics', port: 'http' } }))!.text()).toMatch(
      /^bcod_train_steps_total 10$/m,
    )
  }, 180_000)

  it('finds nothing wrong with broker, topic, model and disk, by the command of the guide', async () => {
    const command = /kubectl -n bcod exec bcod-0 -- (node \S+ check [^`\n]*)/.exec(guide)![1]!
    await inDaemon(...command.split(' '))
  })

  it('goes on where it was after its container was killed', async () => {
    expect((await podman('kill', daemon.container)).status).toBe(0)
    expect((await podman('exec', daemon.container, 'node', '--version')).status).not.toBe(0)
    await vote()
    expect((await podman('start', daemon.container)).status).toBe(0)
    await ready()
    await published('v00000020')
  }, 180_000)

  it('goes on when Kafka comes back on its volume', async () => {
    expect((await podman('stop', '--time', '60', kafka.container)).status).toBe(0)
    expect((await podman('start', kafka.container)).status).toBe(0)
    await until('listing topics', async () => (await podman('exec', kafka.container, ...LIST_TOPICS)).status === 0)
    await vote()
    await published('v00000030')
  }, 300_000)

  it('ends in order within its grace', async () => {
    const grace = daemon.pod.terminationGracePeriodSeconds!
    expect((await podman('stop', '--time', String(grace), daemon.container)).status).toBe(0)
    const [{ State: end }] = JSON.parse((await podman('inspect', daemon.container)).stdout)
    expect(end.ExitCode, await logs()).toBe(0)
  }, 120_000)
})
