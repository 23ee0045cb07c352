import { spawnSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Finding, pass, warn } from './finding.js'
import { cacheDirectory } from './machine.js'

const ONLY_FOR = 'only `bcod demo --kafka` and the tests need it'

/** A broker of our own needs Java 17; a broker elsewhere needs nothing here. */
export function checkJava(): Finding {
  const { status, stdout, stderr } = spawnSync('java', ['-version'], { encoding: 'utf8', timeout: 10_000 })
  const version = status === 0 ? /version "([^"]+)"/.exec(`${stdout}${stderr}`)?.[1] : undefined
  if (version === undefined) return warn('java', `not found; ${ONLY_FOR}`, 'Install Java 17 or newer.')
  return Number.parseInt(version, 10) >= 17
    ? pass('java', version)
    : warn('java', `${version}; ${ONLY_FOR}`, 'Install Java 17 or newer.')
}

export async function checkKafkaJars(cache = cacheDirectory()): Promise<Finding> {
  const versions = await readdir(join(cache, 'kafka')).catch(() => [])
  for (const version of versions) {
    const files = await readdir(join(cache, 'kafka', version, 'libs')).catch(() => [])
    if (files.some((file) => file.endsWith('.jar'))) return pass('kafka jars', `Kafka ${version} in ${cache}`)
  }
  return warn('kafka jars', `not in ${cache}; ${ONLY_FOR}`, 'Run make test once, or node scripts/setup.mjs --tests.')
}
