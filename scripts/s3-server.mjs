#!/usr/bin/env node
// Finds versitygw, an S3 server that keeps objects as files, for the tests of the registry in a bucket: on PATH, else in
// bcod's cache, where Go builds it from its module proxy (three to five minutes on two cores, once). Prints its path, or says why
// there is none.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot, once } from './cache.mjs'

const VERSION = 'v1.8.0'

/** The program, or null with the reason. Builds it where `build` is not false. */
export function findS3Server({ cache = cacheRoot(), build = true } = {}) {
  const onPath = (process.env.PATH ?? '').split(':').map((folder) => join(folder, 'versitygw'))
  const home = join(cache, `versitygw-${VERSION}`)
  const built = join(home, 'versitygw')
  const found = [...onPath, built].find((path) => existsSync(path))
  if (found !== undefined) return { program: found, reason: null }
  if (!build) return { program: null, reason: 'versitygw is neither on PATH nor in the cache' }
  if (spawnSync('go', ['version'], { stdio: 'ignore' }).status !== 0)
    return {
      program: null,
      reason: 'versitygw is not on PATH, and needs Go 1.26 or newer to be built: https://go.dev/dl',
    }
  try {
    once(home, (dir) => {
      const env = { ...process.env, GOBIN: dir }
      execFileSync('go', ['install', `github.com/versity/versitygw/cmd/versitygw@${VERSION}`], { env, stdio: 'pipe' })
    })
  } catch (error) {
    return {
      program: null,
      reason: String(error.stderr ?? error.message)
        .trim()
        .split('\n')
        .at(-1),
    }
  }
  return { program: built, reason: null }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { program, reason } = findS3Server()
  console.log(program ?? reason)
  process.exit(program === null ? 1 : 0)
}
