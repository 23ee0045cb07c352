// Compiles src/ to dist/ where a source is newer than the last build. Tests use it too: workers run no TypeScript.
// A daemon may run from dist/ meanwhile and loads parts of it late: it is built beside, and files change whole.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { placeTree, removeOthers } from './place.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const INPUTS = ['src', 'tsconfig.json', 'tsconfig.build.json', 'package-lock.json', 'scripts/copy-assets.mjs']
const STAMP = '.built'

function newest(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

/** @param always  also where no source has changed */
export function build({ always = false } = {}) {
  const dist = join(root, 'dist')
  const stamp = join(dist, STAMP)
  const changed = Math.max(...INPUTS.map((name) => newest(join(root, name))))
  if (!always && existsSync(stamp) && statSync(stamp).mtimeMs > changed) return
  console.error('setup: compiling')
  const started = new Date()
  // as deep as dist/: source maps hold relative paths
  const fresh = mkdtempSync(join(root, '.build-'))
  try {
    const run = (command, ...args) => execFileSync(command, args, { cwd: root, stdio: ['ignore', 2, 2] })
    run('npx', '--no-install', 'tsc', '-p', 'tsconfig.build.json', '--outDir', fresh)
    run(process.execPath, join('scripts', 'copy-assets.mjs'), fresh)
    writeFileSync(join(fresh, STAMP), '')
    placeTree(fresh, dist)
    removeOthers(fresh, dist)
    // what was edited while tsc ran is newer
    utimesSync(stamp, started, started)
  } finally {
    rmSync(fresh, { recursive: true, force: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) build({ always: process.argv.includes('--always') })
