import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { layOutSystem, layOutVolumes, USER } from '../../scripts/image/system.mjs'
import { INSTALLERS } from './installers.js'

const require = createRequire(import.meta.url)
const onDebian = spawnSync('dpkg-query', ['--version']).status === 0 && spawnSync('ldd', ['--version']).status === 0
const asRoot = process.getuid?.() === 0

const directory = mkdtempSync(join(tmpdir(), 'bcod-system-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

/** What the image runs and loads: Node, TensorFlow with its addons, and the codecs. */
const deps = join(dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')), 'deps')
const binaries = [process.execPath, ...readdirSync(join(deps, 'lib')).map((name) => join(deps, 'lib', name))]

describe.skipIf(!onDebian)('what the image holds of Debian', () => {
  const { packages } = onDebian ? layOutSystem(directory, binaries) : { packages: [] }
  if (onDebian) layOutVolumes(directory)
  const files = onDebian
    ? readdirSync(directory, { recursive: true, withFileTypes: true })
        .filter((entry) => !entry.isDirectory())
        .map((entry) => join(entry.parentPath, entry.name).slice(directory.length))
        .sort()
    : []

  it('is libraries, the loader, their licences, and three files that name the user and how hosts are looked up', () => {
    const libraries = files.filter((path) => /^\/usr\/lib(64)?\/.*\.so(\.\d+)+$/.test(path))
    expect(libraries).toContain('/usr/lib64/ld-linux-x86-64.so.2')
    expect(libraries).toContain('/usr/lib/x86_64-linux-gnu/libc.so.6')
    const rest = files.filter((path) => !libraries.includes(path))
    const licences = packages.map(({ name }) => `/usr/share/doc/${name}/copyright`)
    expect(rest).toEqual(['/etc/group', '/etc/nsswitch.conf', '/etc/passwd', '/lib', '/lib64', ...licences].sort())
  })

  it('has nothing that installs, unpacks, compiles or interprets', () => {
    expect(files.filter((path) => INSTALLERS.test(path))).toEqual([])
    for (const path of [
      '/usr/bin/apt-get',
      '/bin/sh',
      '/usr/local/bin/npx',
      '/bin/tar',
      '/var/lib/dpkg/status',
      '/usr/local/lib/node_modules/npm/package.json',
    ])
      expect(path).toMatch(INSTALLERS)
    for (const path of ['/app/dist/cli.js', '/usr/local/bin/node', '/app/node_modules/@tensorflow/tfjs/package.json'])
      expect(path).not.toMatch(INSTALLERS)
  })

  it('names packages with the versions that are there, for the bill of materials', () => {
    expect(packages.map(({ name }) => name)).toContain('libc6')
    for (const { version } of packages) expect(version).toMatch(/^\d/)
  })

  it('lets everybody write to /tmp alone, and the user to its volumes', () => {
    expect((statSync(join(directory, 'tmp')).mode & 0o7777).toString(8)).toBe('1777')
    const owner = asRoot ? USER : process.getuid!()
    for (const name of ['', 'state', 'adapters'])
      expect(statSync(join(directory, 'var/lib/bcod', name)).uid, name).toBe(owner)
    expect(readFileSync(join(directory, 'etc/passwd'), 'utf8')).toContain(`:${USER}:${USER}:`)
  })

  it.skipIf(!asRoot || !existsSync('/usr/sbin/chroot'))('is all that Node asks for', () => {
    const node = join(directory, 'usr/local/bin/node')
    mkdirSync(dirname(node), { recursive: true })
    copyFileSync(process.execPath, node)
    chmodSync(directory, 0o755)
    const script = 'console.log([process.version, process.getuid(), os.userInfo().username].join())'
    const args = [`--userspec=${USER}:${USER}`, directory, '/usr/local/bin/node', '-e', script]
    const { stdout, stderr } = spawnSync('/usr/sbin/chroot', args, { encoding: 'utf8', env: { HOME: '/' } })
    expect(stdout.trim(), stderr).toBe(`${process.version},${USER},bcod`)
  })
})
