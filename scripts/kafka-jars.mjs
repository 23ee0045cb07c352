#!/usr/bin/env node
// Fetches the jars of Apache Kafka (44 files, 43 MB) from Maven Central, once, into <cache>/kafka/<version>/libs.
// They run the real broker of the tests and of `bcod demo --kafka`.
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cacheRoot } from './cache.mjs'

export const KAFKA_VERSION = '4.4.0'
const SLF4J_VERSION = '1.7.36'
const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

export const kafkaLibs = (cache = cacheRoot()) => join(cache, 'kafka', KAFKA_VERSION, 'libs')

/**
 * The folder with the jars; fetches them where they are missing. Safe to call from several processes at once:
 * each fetches into a folder of its own, and the first to finish renames it into place.
 * Rejects with a remedy when Maven is missing or fails.
 */
export async function ensureKafkaJars(cache = cacheRoot()) {
  const libs = kafkaLibs(cache)
  if (existsSync(libs)) return libs
  if (!runs('mvn', ['-version']))
    throw new Error(
      'BROKER_JARS_MISSING: Maven (mvn) is needed once to fetch the Kafka broker. Install it (apt-get install maven) and run make setup.',
    )
  const home = join(cache, 'kafka', KAFKA_VERSION)
  mkdirSync(home, { recursive: true })
  const work = mkdtempSync(join(home, 'fetching-'))
  try {
    writeFileSync(join(work, 'pom.xml'), pom())
    await maven(join(work, 'pom.xml'), join(work, 'libs'))
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

function maven(pomFile, outputDirectory) {
  const args = [
    '-q',
    '-B',
    '-f',
    pomFile,
    COPY_DEPENDENCIES,
    '-DincludeScope=runtime',
    `-DoutputDirectory=${outputDirectory}`,
  ]
  return new Promise((resolve, reject) => {
    const child = spawn('mvn', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    let output = ''
    child.stdout.on('data', (chunk) => (output += chunk))
    child.stderr.on('data', (chunk) => (output += chunk))
    child.once('error', reject)
    child.once('exit', (code) => {
      if (code === 0) return resolve()
      const tail = output.split('\n').slice(-12).join('\n')
      reject(
        new Error(`BROKER_JARS_MISSING: Maven could not fetch Kafka ${KAFKA_VERSION}; check the network.\n${tail}`),
      )
    })
  })
}

function runs(command, args) {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function pom() {
  const dependency = (group, artifact, version) =>
    `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bcod</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    ${dependency('org.apache.kafka', 'kafka_2.13', KAFKA_VERSION)}
    ${dependency('org.slf4j', 'slf4j-simple', SLF4J_VERSION)}
  </dependencies>
</project>
`
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    console.log(await ensureKafkaJars())
  } catch (error) {
    console.error(error.message)
    process.exit(1)
  }
}
