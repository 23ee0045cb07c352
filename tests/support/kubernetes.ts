import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once as event } from 'node:events'
import { createWriteStream, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { cacheRoot, once } from '../../scripts/cache.mjs'
import { freePort } from './daemon.js'

const KUBERNETES = '1.34.2'
const ETCD = '3.6.5'
/** Where the modules of the operators that deploy/k8s and its guide rely on hold their custom resource definitions. */
const OPERATORS = {
  'github.com/prometheus-operator/prometheus-operator@v0.85.0': 'example/prometheus-operator-crd',
  'github.com/kedacore/keda/v2@v2.21.0': 'config/crd/bases',
  'github.com/kubernetes-csi/external-snapshotter/client/v8@v8.7.0':
    'config/crd/snapshot.storage.k8s.io_volumesnapshots.yaml',
}

const say = (text: string) => console.error(`cluster-test: ${text}`)
const go = (cwd: string, ...args: readonly string[]) =>
  execFileSync('go', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 2], maxBuffer: 2 ** 26 })

/** Why there can be no API server here, or null. */
export const whyNoKubernetes = (): string | null =>
  ['go', 'kubectl'].filter((tool) => spawnSync('which', [tool]).status !== 0).join(', ') || null

/** Builds etcd and Kubernetes' control plane from their sources, once: about ten minutes on two cores. */
function controlPlane(): string {
  const target = join(cacheRoot(), `kubernetes-${KUBERNETES}`)
  once(target, (directory) => {
    say(`building Kubernetes ${KUBERNETES} and etcd ${ETCD} into ${target} (once)`)
    const etcd = 'go.etcd.io/etcd/server/v3'
    build({ name: 'etcd', module: etcd, version: `v${ETCD}`, packages: [etcd], output: join(directory, 'etcd') })
    // its parts are modules of their own, which its go.mod points to by paths that a module does not carry
    const kubernetes = 'k8s.io/kubernetes'
    const { GoMod } = JSON.parse(go(directory, 'mod', 'download', '-json', `${kubernetes}@v${KUBERNETES}`))
    const parts = [...readFileSync(GoMod, 'utf8').matchAll(/^\s+(k8s\.io\/\S+) => \.\/staging/gm)]
    const [, major, minor] = /^(\d+)\.(\d+)/.exec(KUBERNETES)!
    build({
      ...{ name: 'kubernetes', module: kubernetes, version: `v${KUBERNETES}`, output: `${directory}/` },
      packages: ['apiserver', 'controller-manager'].map((part) => `${kubernetes}/cmd/kube-${part}`),
      replaced: parts.map(([, part]) => `${part}=${part}@v${KUBERNETES.replace(/^1/, '0')}`),
      told: { gitVersion: `v${KUBERNETES}`, gitMajor: major!, gitMinor: minor! },
    })
  })
  return target
}

interface Program {
  readonly name: string
  readonly module: string
  readonly version: string
  readonly packages: readonly string[]
  /** A file, or a directory that ends in a slash. */
  readonly output: string
  /** `module=module@version`, in the place of what the module itself asks for. */
  readonly replaced?: readonly string[]
  /** What Kubernetes says of its version. */
  readonly told?: Readonly<Record<string, string>>
}

function build({ name, module, version, packages, output, replaced = [], told = {} }: Program): void {
  const work = mkdtempSync(join(tmpdir(), `bcod-${name}-`))
  try {
    go(work, 'mod', 'init', name)
    go(work, 'mod', 'edit', `-require=${module}@${version}`, ...replaced.map((each) => `-replace=${each}`))
    const imports = packages.map((path) => `import _ "${path}"`).join('\n')
    writeFileSync(join(work, 'tools.go'), `//go:build tools\npackage tools\n${imports}\n`)
    go(work, 'mod', 'tidy')
    const set = Object.entries(told).map(([key, value]) => `-X k8s.io/component-base/version.${key}=${value}`)
    go(work, 'build', '-ldflags', `-s -w ${set.join(' ')}`, '-o', output, ...packages)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Kubernetes' API server and controllers over etcd. There are no nodes: pods are admitted, created, and stay pending. */
export class ControlPlane {
  readonly #processes: ChildProcess[] = []

  private constructor(
    readonly directory: string,
    /** For KUBECONFIG. */
    readonly config: string,
  ) {}

  static async start(): Promise<ControlPlane> {
    const binaries = controlPlane()
    const directory = mkdtempSync(join(tmpdir(), 'bcod-kubernetes-'))
    const plane = new ControlPlane(directory, join(directory, 'kubeconfig'))
    const at = (name: string) => join(directory, name)
    const [client, peer, api] = [await freePort(), await freePort(), await freePort()]
    const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    writeFileSync(at('key.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
    writeFileSync(at('key.pub'), publicKey.export({ type: 'spki', format: 'pem' }))
    writeFileSync(at('tokens.csv'), 'token,admin,1,system:masters\n')
    const cluster = { server: `https://127.0.0.1:${api}`, 'insecure-skip-tls-verify': true }
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config', 'current-context': 'test' },
      clusters: [{ name: 'test', cluster }],
      users: [{ name: 'admin', user: { token: 'token' } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
    }
    writeFileSync(plane.config, JSON.stringify(config))
    plane.#spawn(join(binaries, 'etcd'), [
      ...['--data-dir', at('etcd'), '--listen-client-urls', `http://127.0.0.1:${client}`],
      ...['--advertise-client-urls', `http://127.0.0.1:${client}`, '--listen-peer-urls', `http://127.0.0.1:${peer}`],
    ])
    plane.#spawn(join(binaries, 'kube-apiserver'), [
      ...['--etcd-servers', `http://127.0.0.1:${client}`, '--cert-dir', at('certificates')],
      ...['--bind-address', '127.0.0.1', '--secure-port', String(api), '--service-cluster-ip-range', '10.96.0.0/16'],
      ...['--service-account-issuer', 'https://test', '--service-account-key-file', at('key.pub')],
      ...['--service-account-signing-key-file', at('key.pem'), '--token-auth-file', at('tokens.csv')],
      ...['--authorization-mode', 'RBAC'],
    ])
    await plane.#until('the API server answers', () => plane.kubectl('get', '--raw', '/readyz').status === 0)
    plane.#spawn(join(binaries, 'kube-controller-manager'), [
      ...['--kubeconfig', plane.config, '--leader-elect=false', '--secure-port', '0'],
      ...['--service-account-private-key-file', at('key.pem'), '--root-ca-file', at('certificates/apiserver.crt')],
    ])
    const account = () => plane.kubectl('-n', 'default', 'get', 'serviceaccount', 'default').status === 0
    await plane.#until('the controllers work', account)
    return plane
  }

  /** Makes the kinds of the Prometheus operator, KEDA and the snapshot controller known, from their own definitions. */
  addOperators(): void {
    for (const [module, path] of Object.entries(OPERATORS)) {
      const { Dir } = JSON.parse(go(this.directory, 'mod', 'download', '-json', module)) as { Dir: string }
      const { status, stderr } = this.kubectl('apply', '--server-side', '-f', join(Dir, path))
      if (status !== 0) throw new Error(stderr)
    }
  }

  kubectl(...args: readonly string[]) {
    return this.kubectlWith('', ...args)
  }

  /** @param input  its standard input */
  kubectlWith(input: string, ...args: readonly string[]) {
    const { status, stdout, stderr } = spawnSync('kubectl', args, {
      ...{ env: { ...process.env, KUBECONFIG: this.config }, input, encoding: 'utf8' },
    })
    return { status, stdout, stderr }
  }

  get(...args: readonly string[]) {
    const { status, stdout, stderr } = this.kubectl('get', '-o', 'json', ...args)
    if (status !== 0) throw new Error(stderr)
    return JSON.parse(stdout)
  }

  async stop(): Promise<void> {
    for (const child of this.#processes.reverse()) {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await event(child, 'exit')
    }
    rmSync(this.directory, { recursive: true, force: true })
  }

  #spawn(command: string, args: readonly string[]): void {
    const child = spawn(command, args, { cwd: this.directory, stdio: ['ignore', 'ignore', 'pipe'] })
    const name = command.split('/').at(-1)!
    mkdirSync(join(this.directory, 'logs'), { recursive: true })
    child.stderr!.pipe(createWriteStream(join(this.directory, 'logs', `${name}.log`)))
    process.once('exit', () => child.kill('SIGKILL'))
    this.#processes.push(child)
  }

  async #until(what: string, holds: () => boolean): Promise<void> {
    for (const end = Date.now() + 60_000; !holds(); await sleep(300)) {
      const ended = this.#processes.find(({ exitCode }) => exitCode !== null)
      if (ended === undefined && Date.now() < end) continue
      const name = ended === undefined ? 'kube-apiserver' : ended.spawnfile.split('/').at(-1)
      const log = readFileSync(join(this.directory, 'logs', `${name}.log`), 'utf8').slice(-2000)
      await this.stop()
      throw new Error(ended === undefined ? `not within a minute: ${what}\n${log}` : `${name} ended\n${log}`)
    }
  }
}
