import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { javaVersion, OLDEST_JAVA } from '../../demo/kafka/broker.js'
import { cacheDirectory } from '../../files/cache.js'
import { type Finding, pass, warn } from './finding.js'

const ONLY_FOR = 'only `bcod demo --kafka` and the tests need it'

/** A broker of our own needs Java 17; a broker elsewhere needs nothing here. */
export function checkJava(): Finding {
  const version = javaVersion()
  const remedy = `Install Java ${OLDEST_JAVA} or newer.`
  if (version === null) return warn('java', `not found; ${ONLY_FOR}`, remedy)
  return version >= OLDEST_JAVA ? pass('java', `${version}`) : warn('java', `${version}; ${ONLY_FOR}`, remedy)
}

export async function checkKafkaJars(cache = cacheDirectory()): Promise<Finding> {
  const versions = await readdir(join(cache, 'kafka')).catch(() => [])
  for (const version of versions) {
    const files = await readdir(join(cache, 'kafka', version, 'libs')).catch(() => [])
    if (files.some((file) => file.endsWith('.jar'))) return pass('kafka jars', `Kafka ${version} in ${cache}`)
  }
  return warn('kafka jars', `not in ${cache}; ${ONLY_FOR}`, 'Run make test once, or node scripts/setup.mjs --tests.')
}
