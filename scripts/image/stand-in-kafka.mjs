// A stand-in for the public image of Apache Kafka, from Debian's Java and the jars of the same version from Maven
// Central: `node scripts/image/stand-in-kafka.mjs docker.io/apache/kafka:VERSION RUN_IMAGE`. It has the commands that
// the overlay cpu-dev and its votes call, each in its place, and is for tests alone.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LOG_BINDING } from '../kafka-jars.mjs'
import { copyJars } from '../maven.mjs'
import { commit, run, runIn } from './buildah.mjs'

/** The class that each command runs, and the heap that it asks for where KAFKA_HEAP_OPTS does not. */
const COMMANDS = {
  'kafka-storage.sh': ['kafka.tools.StorageTool', '-Xmx256M'],
  'kafka-server-start.sh': ['kafka.Kafka', '-Xmx1G -Xms1G'],
  'kafka-topics.sh': ['org.apache.kafka.tools.TopicCommand', '-Xmx256M'],
  'kafka-console-producer.sh': ['org.apache.kafka.tools.ConsoleProducer', '-Xmx512M'],
}

/** Like Kafka's own: its logs go to LOG_DIR, which is in the image, where nothing can be written, unless it is set. */
const script = ([mainClass, heap]) => `#!/bin/bash
mkdir -p "\${LOG_DIR:=/opt/kafka/logs}"
exec java \${KAFKA_HEAP_OPTS:-${heap}} -XX:+UseG1GC "-Dkafka.logs.dir=$LOG_DIR" -cp '/opt/kafka/libs/*' ${mainClass} "$@"
`

async function makeKafka(name, base) {
  const version = name.split(':').at(-1)
  const scratch = mkdtempSync(join(tmpdir(), 'bcod-kafka-image-'))
  try {
    const artifacts = ['kafka_2.13', 'kafka-tools'].map((artifact) => `org.apache.kafka:${artifact}:${version}`)
    await copyJars([...artifacts, LOG_BINDING], join(scratch, 'libs'))
    mkdirSync(join(scratch, 'bin'))
    for (const [command, started] of Object.entries(COMMANDS))
      writeFileSync(join(scratch, 'bin', command), script(started), { mode: 0o755 })
    commit(base, name, (container) => {
      runIn(container, 'apt-get', 'update', '-qq')
      runIn(container, 'mkdir', '-p', '/usr/share/man/man1') // Java's package fails without it
      runIn(container, 'apt-get', 'install', '-y', '-qq', '--no-install-recommends', 'openjdk-17-jre-headless')
      run('buildah', 'add', '--quiet', '--chmod', '0755', container, scratch, '/opt/kafka')
    })
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const [name, base] = process.argv.slice(2)
if (base === undefined) throw new Error('usage: node scripts/image/stand-in-kafka.mjs KAFKA_IMAGE RUN_IMAGE')
await makeKafka(name, base)
