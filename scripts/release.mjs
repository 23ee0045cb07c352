// `make release OUT=DIR`: what a release consists of, the same bytes from every clone of the same commit.
//   bcod-VERSION.tar.gz    the files of the commit
//   bcod-VERSION.cdx.json  its bill of materials (CycloneDX), of package-lock.json and the pinned wheels
//   SHA256SUMS             of both
// `node scripts/release.mjs --sign DIR KEY` signs SHA256SUMS with an SSH key; SECURITY.md says how it is verified.
import { execFileSync, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { releaseBill } from './release-bill.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
/** What the signature is good for: a signature for another purpose cannot be passed off as one of a release. */
const NAMESPACE = 'bcod-release'
const SUMS = 'SHA256SUMS'

const git = (...args) => execFileSync('git', args, { cwd: root, maxBuffer: 2 ** 30 })

/** Writes the files of a release of HEAD; refuses a tree with changes, which no commit would give again. */
function release(out) {
  if (git('status', '--porcelain').length > 0) throw new Error('the working tree has changes: commit them first')
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  mkdirSync(out, { recursive: true })
  const files = {
    [`bcod-${version}.tar.gz`]: compressed(archive(`bcod-${version}`)),
    [`bcod-${version}.cdx.json`]: Buffer.from(`${JSON.stringify(releaseBill(root), null, 1)}\n`),
  }
  const sums = Object.entries(files).map(([name, bytes]) => `${sha256(bytes)}  ${name}\n`)
  for (const [name, bytes] of Object.entries(files)) writeFileSync(join(out, name), bytes)
  writeFileSync(join(out, SUMS), sums.join(''))
}

/** git sorts the files, gives them all the time of the commit, and owner and modes of its own. */
const archive = (prefix) =>
  git('-c', 'tar.umask=0022', '-c', 'core.autocrlf=false', 'archive', '--format=tar', `--prefix=${prefix}/`, 'HEAD')

/** Without a date or a system in the header, which Node's zlib leaves empty but for the system's byte. */
function compressed(tar) {
  const bytes = gzipSync(tar, { level: 9 })
  bytes[9] = 255 // RFC 1952: unknown operating system
  return bytes
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** Writes SHA256SUMS.sig with an SSH key, or with the one of the agent whose public half KEY is. */
function sign(out, key) {
  const { status } = spawnSync('ssh-keygen', ['-q', '-Y', 'sign', '-f', key, '-n', NAMESPACE, join(out, SUMS)], {
    stdio: 'inherit',
  })
  if (status !== 0) throw new Error('ssh-keygen did not sign')
}

const [first, ...rest] = process.argv.slice(2)
if (first === '--sign' && rest.length === 2) sign(...rest.map((path) => resolve(path)))
else if (first !== undefined && first !== '--sign' && rest.length === 0) release(resolve(first))
else throw new Error('usage: node scripts/release.mjs DIR, or node scripts/release.mjs --sign DIR KEY')
