import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const directory = mkdtempSync(join(tmpdir(), 'bcod-release-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string }
const NAMES = [`bcod-${version}.tar.gz`, `bcod-${version}.cdx.json`, 'SHA256SUMS']
const isClone = spawnSync('git', ['rev-parse', 'HEAD']).status === 0
const git = (cwd: string, ...args: readonly string[]) => execFileSync('git', args, { cwd, encoding: 'utf8' })

/** A clone of the commit that this checkout has, in which the files of a release are made under another mask and zone. */
function releaseOf(name: string, umask: string, zone: string): string {
  const clone = join(directory, name)
  git('.', 'clone', '--quiet', '--no-hardlinks', '.', clone)
  // the scripts as they are here, committed: this checkout may be ahead of its commit
  for (const script of ['release.mjs', 'release-bill.mjs'])
    copyFileSync(join('scripts', script), join(clone, 'scripts', script))
  git(clone, 'add', '-A')
  const author = ['-c', 'user.name=a', '-c', 'user.email=a@example.com']
  const env = { ...process.env, GIT_COMMITTER_DATE: '2026-01-02T03:04:05Z', GIT_AUTHOR_DATE: '2026-01-02T03:04:05Z' }
  execFileSync('git', [...author, 'commit', '--quiet', '--allow-empty', '-m', 'scripts'], { cwd: clone, env })
  symlinkSync(join(process.cwd(), 'node_modules'), join(clone, 'node_modules'))
  writeFileSync(join(clone, '.git', 'info', 'exclude'), 'node_modules\n')
  const out = join(directory, `${name}-out`)
  const command = `umask ${umask}; exec ${process.execPath} scripts/release.mjs ${out}`
  execFileSync('/bin/sh', ['-c', command], { cwd: clone, env: { ...process.env, TZ: zone } })
  return out
}

const bytesOf = (out: string) => NAMES.map((name) => readFileSync(join(out, name)))

describe.skipIf(!isClone)('a release', () => {
  let [one, two] = ['', '']
  beforeAll(() => {
    one = releaseOf('one', '0022', 'UTC')
    two = releaseOf('two', '0077', 'Pacific/Auckland')
  })

  it('has the same bytes from two clones, under another mask of modes and another time zone', () => {
    expect(readdirSync(one).sort()).toEqual([...NAMES].sort())
    expect(bytesOf(one).map((bytes, i) => bytes.equals(bytesOf(two)[i]!))).toEqual([true, true, true])
  })

  it('lists the hashes of its files as `sha256sum --check` reads them', () => {
    const { status, stdout } = spawnSync('sha256sum', ['--check', 'SHA256SUMS'], { cwd: one, encoding: 'utf8' })
    expect(status, stdout).toBe(0)
    expect(stdout.match(/: OK/g)).toHaveLength(2)
  })

  it('has every file of the commit once, sorted, of root, of the date of the commit', () => {
    const tar = join(directory, 'release.tar')
    writeFileSync(tar, gunzipSync(readFileSync(join(one, NAMES[0]!))))
    const list = ['--list', '--verbose', '--full-time', '--utc', '--numeric-owner', '--file', tar]
    const lines = execFileSync('tar', list, { encoding: 'utf8', maxBuffer: 2 ** 26 })
      .trim()
      .split('\n')
    const entries = lines.filter((line) => !line.startsWith('d'))
    expect(entries.length).toBe(git(join(directory, 'one'), 'ls-files').trim().split('\n').length)
    for (const line of lines) expect(line).toMatch(/^[-dl]rwxr-xr-x 0\/0 |^-rw-r--r-- 0\/0 |^lrwxrwxrwx 0\/0 /)
    for (const line of lines) expect(line).toContain(' 2026-01-02 03:04:05 ')
  })

  it('has a bill of materials with each package of package-lock.json, its hash and its licence', () => {
    const bill = JSON.parse(readFileSync(join(one, NAMES[1]!), 'utf8'))
    expect([bill.bomFormat, bill.specVersion]).toEqual(['CycloneDX', '1.5'])
    const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8'))
    const inLock = new Set(
      Object.entries(packages as Record<string, { version: string }>)
        .filter(([path]) => path !== '')
        .map(([path, each]) => `npm:${path.split('node_modules/').at(-1)}@${each.version}`),
    )
    const refs = bill.components.map((each: { 'bom-ref': string }) => each['bom-ref']) as string[]
    expect(new Set(refs.filter((ref) => ref.startsWith('npm:')))).toEqual(inLock)
    expect(refs.filter((ref) => ref.startsWith('pypi:tensorflow'))).toHaveLength(2)
    const rxjs = bill.components.find(({ name }: { name: string }) => name === 'rxjs')
    // npm's `integrity` is base64 of what CycloneDX writes in hex
    const { integrity } = packages['node_modules/rxjs']
    expect(rxjs.hashes).toEqual([
      { alg: 'SHA-512', content: Buffer.from(integrity.slice('sha512-'.length), 'base64').toString('hex') },
    ])
  })

  it('is not made of a tree with changes', () => {
    const clone = join(directory, 'one')
    appendFileSync(join(clone, 'README.md'), 'x')
    const { status, stderr } = spawnSync(process.execPath, ['scripts/release.mjs', join(directory, 'dirty')], {
      cwd: clone,
      encoding: 'utf8',
    })
    expect(status).not.toBe(0)
    expect(stderr).toContain('the working tree has changes')
    git(clone, 'checkout', '--quiet', 'README.md')
  })

  it.skipIf(spawnSync('ssh-keygen', ['-Y']).error !== undefined)(
    'is signed and verified by the commands of SECURITY.md; a changed list, another key and another purpose are not',
    () => {
      const policy = readFileSync('SECURITY.md', 'utf8')
      const verify = /^ssh-keygen -Y verify .*$/m.exec(policy)![0]
      const key = (name: string) => {
        const path = join(directory, name)
        execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', path])
        return path
      }
      const [ours, other] = [key('ours'), key('other')]
      writeFileSync(join(one, 'allowed_signers'), `releases@bcod ${readFileSync(`${ours}.pub`, 'utf8')}`)
      const signWith = (path: string) => {
        rmSync(join(one, 'SHA256SUMS.sig'), { force: true })
        execFileSync(process.execPath, ['scripts/release.mjs', '--sign', one, path])
      }
      const verified = () => spawnSync('/bin/sh', ['-c', verify], { cwd: one }).status === 0
      signWith(ours)
      expect(verified()).toBe(true)
      appendFileSync(join(one, 'SHA256SUMS'), `${createHash('sha256').update('x').digest('hex')}  x\n`)
      expect(verified()).toBe(false)
      copyFileSync(join(two, 'SHA256SUMS'), join(one, 'SHA256SUMS'))
      expect(verified()).toBe(true)
      signWith(other)
      expect(verified()).toBe(false)
      rmSync(join(one, 'SHA256SUMS.sig'))
      execFileSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', ours, '-n', 'file', join(one, 'SHA256SUMS')])
      expect(verified()).toBe(false)
    },
  )
})
