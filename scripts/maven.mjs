// Jars from Maven Central, with Maven: what the real Kafka of tests, demo and stand-in image is made of.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const COPY_DEPENDENCIES = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies'

/**
 * Copies the jars of `artifacts` (`group:artifact:version`), and of all that they need at run time, to `directory`.
 * Rejects with a remedy when Maven is missing or fails.
 */
export async function copyJars(artifacts, directory) {
  try {
    execFileSync('mvn', ['-version'], { stdio: 'ignore' })
  } catch {
    throw new Error(
      'BROKER_JARS_MISSING: Maven (mvn) is needed once to fetch the Kafka broker. Install it (apt-get install maven) and run make setup.',
    )
  }
  const work = mkdtempSync(join(tmpdir(), 'bcod-jars-'))
  try {
    const file = join(work, 'pom.xml')
    writeFileSync(file, pom(artifacts))
    const options = ['-DincludeScope=runtime', `-DoutputDirectory=${directory}`]
    await promisify(execFile)('mvn', ['-q', '-B', '-f', file, COPY_DEPENDENCIES, ...options]).catch((cause) => {
      const tail = `${cause.stdout ?? ''}${cause.stderr ?? ''}`.split('\n').slice(-12).join('\n')
      const what = artifacts.join(', ')
      throw new Error(`BROKER_JARS_MISSING: Maven could not fetch ${what}; check the network.\n${tail}`, { cause })
    })
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

function pom(artifacts) {
  const dependencies = artifacts.map((coordinates) => {
    const [group, artifact, version] = coordinates.split(':')
    return `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`
  })
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bcod</groupId><artifactId>kafka-broker</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>${dependencies.join('\n')}</dependencies>
</project>
`
}
