// The viewer of `make dashboards-look` with Grafana's libraries from npm (Apache 2.0), as package-lock.json pins them with
// hashes, in bcod's cache. No other target needs it. Idempotent; BCOD_CACHE moves the cache.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, cpSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from '../../../scripts/cache.mjs'

const here = (name) => fileURLToPath(new URL(name, import.meta.url))
const PINNED = ['package.json', 'package-lock.json']
/** Grafana's font, which its style sheet asks for. */
const INTER = '@fontsource-variable/inter/files/inter-latin-wght-normal.woff2'
const SOURCES = ['viewer.mjs', 'frames.mjs', 'cells.mjs']

/** Folder with what the browser needs; makes it where it is missing (a minute; 3 MB on disk, 600 MB while it is made). */
export function viewerBundle() {
  const hash = createHash('sha256')
  for (const file of [...PINNED, ...SOURCES]) hash.update(readFileSync(here(file)))
  const target = join(cacheRoot(), `dashboard-viewer-${hash.digest('hex').slice(0, 12)}`)
  once(target, build)
  return target
}

function build(directory) {
  const work = join(directory, 'work')
  mkdirSync(work)
  for (const file of [...PINNED, ...SOURCES]) copyFileSync(here(file), join(work, file))
  const run = (command, args) => execFileSync(command, args, { cwd: work, stdio: ['ignore', 2, 2] })
  run('npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts', '--silent'])
  const loaders = ['--loader:.woff2=file', '--loader:.ttf=file', '--define:process.env.NODE_ENV="production"']
  const options = ['--bundle', '--format=esm', '--minify', `--outdir=${directory}`, '--log-level=error', ...loaders]
  run(join(work, 'node_modules/.bin/esbuild'), ['viewer.mjs', ...options])
  const packages = join(work, 'node_modules')
  cpSync(join(packages, '@grafana/ui/dist/public'), join(directory, 'public'), { recursive: true })
  copyFileSync(join(packages, INTER), join(directory, 'inter.woff2'))
  rmSync(work, { recursive: true })
}
