// What the image holds of Debian: the loader, the libraries that Node and the native files ask for, and nothing that can
// install, unpack or interpret anything. There is no base image beneath it.
import { execFileSync, spawnSync } from 'node:child_process'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'

/** User and group of the daemon, as deploy/k8s has them. */
export const USER = 10001
const LOADER = /^\s*(\/lib64\/ld-linux-x86-64\.so\.2)/m
/** Debian's folders of libraries; `/lib` is a link to `/usr/lib` in both. */
const SYSTEM_LIBRARY = /^\/(usr\/)?lib(64)?\//
const FILES = {
  'etc/passwd': `root:x:0:0:root:/:/nonexistent\nbcod:x:${USER}:${USER}:bcod:/var/lib/bcod:/nonexistent\n`,
  'etc/group': `root:x:0:\nbcod:x:${USER}:\n`,
  'etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
}

/**
 * Lays it out in `out`.
 *
 * @param binaries  programs and libraries that go into the image
 * @returns the libraries, as paths of this machine, and the Debian packages that they come from
 */
export function layOutSystem(out, binaries) {
  const libraries = librariesOf(binaries)
  for (const path of libraries) copy(path, join(out, inUsr(path)))
  for (const [name, text] of Object.entries(FILES)) {
    mkdirSync(dirname(join(out, name)), { recursive: true })
    writeFileSync(join(out, name), text)
  }
  for (const name of ['lib', 'lib64']) symlinkSync(`usr/${name}`, join(out, name))
  const packages = packagesOf(libraries)
  for (const { name } of packages) {
    const copyright = join('usr/share/doc', name, 'copyright')
    copy(join('/', copyright), join(out, copyright))
  }
  return { libraries, packages }
}

/** What only root may set, after everything else has its modes: `/tmp`, and the volumes of a container that mounts none. */
export function layOutVolumes(out) {
  mkdirSync(join(out, 'tmp'), { recursive: true })
  chmodSync(join(out, 'tmp'), 0o1777)
  for (const name of ['', 'state', 'adapters']) {
    const path = join(out, 'var/lib/bcod', name)
    mkdirSync(path, { recursive: true, mode: 0o755 })
    if (process.getuid() === 0) chownSync(path, USER, USER)
  }
}

/**
 * The loader's cache, where a library is in none of its own folders: TensorFlow's search path leaves out cuSOLVER's.
 *
 * @param layers   folders of the image and where they go: `{ '/': …, '/app/libtensorflow': … }`
 * @param folders  in the image
 */
export function layOutLoaderCache(layers, folders, scratch) {
  const out = layers['/']
  writeFileSync(join(out, 'etc/ld.so.conf'), `${folders.join('\n')}\n`)
  for (const [at, from] of Object.entries(layers)) {
    mkdirSync(join(scratch, at), { recursive: true })
    execFileSync('cp', ['-al', `${from}/.`, join(scratch, at)])
  }
  execFileSync('ldconfig', ['-r', scratch, '-X'])
  copyFileSync(join(scratch, 'etc/ld.so.cache'), join(out, 'etc/ld.so.cache'))
}

/** Debian's libraries that the loader would take for any of these, and the loader. */
function librariesOf(binaries) {
  const found = new Set()
  for (const binary of binaries) {
    const { status, stdout } = spawnSync('ldd', [binary], { encoding: 'utf8' })
    if (status !== 0) continue // it needs none
    const missing = /^\s*(\S+) => not found/m.exec(stdout)?.[1]
    if (missing !== undefined && !DRIVERS.test(missing))
      throw new Error(`${binary} asks for ${missing}, which is not here`)
    const paths = [...stdout.matchAll(/=> (\/\S+) \(/g)].map(([, path]) => path)
    for (const path of [...paths, LOADER.exec(stdout)?.[1]]) if (path && SYSTEM_LIBRARY.test(path)) found.add(path)
  }
  return [...found].sort()
}

/** The driver's, which the container runtime mounts. */
const DRIVERS = /^lib(cuda|nvidia-\w+)\.so/

const inUsr = (path) => (path.startsWith('/usr/') ? path : `/usr${path}`)

// biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own
const VERSION = '${Version}\n'

/** `[{ name: 'libc6', version: '2.36-9+deb12u13' }]` */
function packagesOf(libraries) {
  const names = new Set(libraries.map(packageOf))
  return [...names].sort().map((name) => {
    const version = execFileSync('dpkg-query', ['-W', '-f', VERSION, name], { encoding: 'utf8' }).split('\n')[0]
    return { name, version }
  })
}

/** dpkg knows a file by the path in its package: with `/usr` or without, and as what it links to. */
function packageOf(library) {
  const real = realpathSync(library)
  const paths = [library, inUsr(library), real, real.replace(/^\/usr/, '')]
  for (const path of paths) {
    const { status, stdout } = spawnSync('dpkg-query', ['-S', path], { encoding: 'utf8' })
    if (status === 0) return stdout.split(':')[0]
  }
  throw new Error(`${basename(library)} is of no Debian package: the image is laid out on Debian`)
}

function copy(from, to) {
  if (existsSync(to)) return
  mkdirSync(dirname(to), { recursive: true })
  copyFileSync(from, to)
}
