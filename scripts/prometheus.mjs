#!/usr/bin/env node
// Finds Prometheus and promtool for the tests of dashboards and alerts: on PATH, else in bcod's cache, where they are
// unpacked from the Debian package (19 MB) without root. Prints their folder, or says why there is none.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from './cache.mjs'

const TOOLS = ['prometheus', 'promtool']

/** The folder with `prometheus` and `promtool`, or null with the reason. Downloads them where `download` is not false. */
export function findPrometheus({ cache = cacheRoot(), download = true } = {}) {
  const onPath = (process.env.PATH ?? '').split(':').find((folder) => folder !== '' && holdsTools(folder))
  if (onPath !== undefined) return { bin: onPath, reason: null }
  const home = join(cache, 'prometheus')
  const bin = join(home, 'usr', 'bin')
  if (holdsTools(bin)) return { bin, reason: null }
  if (!download) return { bin: null, reason: 'prometheus and promtool are neither on PATH nor in the cache' }
  for (const tool of ['apt-get', 'dpkg-deb'])
    if (spawnSync(tool, ['--version'], { stdio: 'ignore' }).status !== 0)
      return {
        bin: null,
        reason: `prometheus and promtool are not on PATH, and without ${tool} they cannot be fetched`,
      }
  try {
    once(home, unpackPackage)
  } catch (error) {
    const said = String(error.stderr ?? error.message)
      .trim()
      .split('\n')
      .at(-1)
    return { bin: null, reason: `apt-get download prometheus failed (apt-get update, as root, may help): ${said}` }
  }
  return holdsTools(bin)
    ? { bin, reason: null }
    : { bin: null, reason: `the package prometheus has no tools in ${bin}` }
}

function unpackPackage(dir) {
  const quiet = { cwd: dir, stdio: ['ignore', 'pipe', 'pipe'], timeout: 120_000 }
  execFileSync('apt-get', ['download', 'prometheus'], quiet)
  const file = readdirSync(dir).find((name) => name.endsWith('.deb'))
  execFileSync('dpkg-deb', ['-x', file, 'package'], quiet)
  rmSync(join(dir, file))
  renameSync(join(dir, 'package', 'usr'), join(dir, 'usr'))
  for (const rest of ['share', 'lib']) rmSync(join(dir, 'usr', rest), { recursive: true, force: true })
  rmSync(join(dir, 'package'), { recursive: true })
}

const holdsTools = (folder) => TOOLS.every((tool) => existsSync(join(folder, tool)))

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { bin, reason } = findPrometheus()
  console.log(bin ?? reason)
  process.exit(bin === null ? 1 : 0)
}
