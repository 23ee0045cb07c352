#!/usr/bin/env node
// Fetches the jars of Apache Kafka (44 files, 43 MB) from Maven Central, once, into <cache>/kafka/<version>/libs.
// They run the real broker of the tests and of `bcod demo --kafka`.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot } from './cache.mjs'
import { copyJars } from './maven.mjs'

export const KAFKA_VERSION = '4.4.0'
/** Kafka logs by it, to the error output. */
export const LOG_BINDING = 'org.slf4j:slf4j-simple:1.7.36'

export const kafkaLibs = (cache = cacheRoot()) => join(cache, 'kafka', KAFKA_VERSION, 'libs')

/**
 * The folder with the jars; fetches them where they are missing. Safe to call from several processes at once:
 * each fetches into a folder of its own, and the first to finish renames it into place.
 * Rejects with a remedy when Maven is missing or fails.
 */
export async function ensureKafkaJars(cache = cacheRoot()) {
  const libs = kafkaLibs(cache)
  if (existsSync(libs)) return libs
  const home = join(cache, 'kafka', KAFKA_VERSION)
  mkdirSync(home, { recursive: true })
  const work = mkdtempSync(join(home, 'fetching-'))
  try {
    await copyJars([`org.apache.kafka:kafka_2.13:${KAFKA_VERSION}`, LOG_BINDING], join(work, 'libs'))
    try {
      renameSync(join(work, 'libs'), libs)
    } catch (error) {
      if (!existsSync(libs)) throw error
    }
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  return libs
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await ensureKafkaJars())
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
