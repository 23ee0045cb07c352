import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BcodError } from '../../errors.js'
import { cacheDirectory } from '../../files/cache.js'
import { brokerProperties } from './broker-properties.js'
import { type GuardedProcess, startGuarded } from './guarded-process.js'
import { endText } from './process-end.js'

/** A real single-node Kafka broker on the loopback. */
export interface Broker {
  /** `host:port` */
  readonly bootstrap: string
  readonly port: number
  readonly dir: string
  readonly pid: number
  /** Ends it in order, and removes its directory where it made that itself. */
  stop(): Promise<void>
  /** Ends it at once, as a power cut does; start again with the same `dir` and `port`. */
  kill(): Promise<void>
}

export interface BrokerOptions {
  /** Its data; kept. Without it a temporary directory that goes with the broker. */
  readonly dir?: string
  /** @default a free one */
  readonly port?: number
  /** Broker settings on top of those in broker-properties.ts. */
  readonly properties?: Readonly<Record<string, string>>
  /** Users to create (SCRAM-SHA-512), name to password. */
  readonly users?: Readonly<Record<string, string>>
  /** Where the jars are: `<cache>/kafka/<version>/libs`. @default as scripts/kafka-jars.mjs */
  readonly cacheRoot?: string
}

/** Any 16 bytes in base64url; the same for every broker of this kind. */
export const CLUSTER_ID = 'YmNvZC1icm9rZXItMDAwMQ'

const STARTED = 'Kafka Server started'
const START_LIMIT = 60_000
const PORT_ATTEMPTS = 3
export const OLDEST_JAVA = 17
const JVM_FLAGS = [
  '-Xms64m',
  '-Xmx256m',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
  '-Dorg.slf4j.simpleLogger.log.kafka.server=info',
]

/**
 * Starts a broker and waits until it serves, 2 to 5 s. It never outlives this process, however that ends.
 * Rejects with BROKER_JAVA_MISSING, BROKER_JARS_MISSING or BROKER_START_FAILED.
 */
export async function startBroker(options: BrokerOptions = {}): Promise<Broker> {
  const libs = kafkaLibs(options.cacheRoot)
  requireJava()
  const dir = options.dir ?? mkdtempSync(join(tmpdir(), 'bcod-kafka-'))
  mkdirSync(dir, { recursive: true })
  const discard = () => options.dir === undefined && rmSync(dir, { recursive: true, force: true })
  for (let attempt = 1; ; attempt++) {
    const [free = 0, controllerPort = 0] = await freePorts(2)
    const port = options.port ?? free
    const java = [...JVM_FLAGS, '-cp', join(libs, '*')]
    const config = join(dir, 'server.properties')
    writeFileSync(config, brokerProperties({ dir, port, controllerPort, extra: options.properties ?? {} }))
    format(java, dir, config, options.users ?? {})
    const process = startGuarded('java', [...java, 'kafka.Kafka', config], {
      ...{ cwd: dir, logFile: join(dir, 'broker.log') },
      // at Ctrl-C those who use it end first
      ownGroup: true,
    })
    if (await process.says(STARTED, START_LIMIT)) return asBroker(process, port, dir, discard)
    const log = process.log()
    const end = process.ended()
    await process.end('SIGKILL')
    if (attempt < PORT_ATTEMPTS && options.port === undefined && /already in use|BindException/.test(log)) continue
    const how = end === null ? `it did not serve within ${START_LIMIT / 1000} s` : `it ${endText(end)}`
    throw new BcodError('BROKER_START_FAILED', `${how}: ${reasonIn(log)}`, { place: join(dir, 'broker.log') })
  }
}

/** The first line that names an exception, which is the cause of those below it; else the last line. */
function reasonIn(log: string): string {
  const lines = log.trim().split('\n')
  return lines.find((line) => /Exception|Error:/.test(line)) ?? lines.at(-1) ?? 'it printed nothing'
}

function asBroker(process: GuardedProcess, port: number, dir: string, discard: () => void): Broker {
  return {
    bootstrap: `127.0.0.1:${port}`,
    port,
    dir,
    pid: process.pid,
    async stop() {
      await process.end('SIGTERM')
      discard()
    },
    kill: () => process.end('SIGKILL'),
  }
}

/** The jars of the newest Kafka in the cache. */
export function kafkaLibs(cacheRoot = cacheDirectory()): string {
  const versions = join(cacheRoot, 'kafka')
  const found = existsSync(versions) ? readdirSync(versions).map((version) => join(versions, version, 'libs')) : []
  const libs = found
    .filter((each) => existsSync(each))
    // 4.10 is newer than 4.9
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }))
    .at(-1)
  if (libs === undefined) throw new BcodError('BROKER_JARS_MISSING', `no jars in ${versions}`, { place: versions })
  return libs
}

/** `openjdk version "17.0.15" 2025-04-15` on stderr; nothing if there is no java. */
function requireJava(): void {
  const found = javaVersion()
  if (found === null) throw new BcodError('BROKER_JAVA_MISSING', '`java` cannot be run')
  if (found < OLDEST_JAVA) throw new BcodError('BROKER_JAVA_MISSING', `found Java ${found}`)
}

/** The major version of the `java` on the PATH; null if there is none. */
export function javaVersion(): number | null {
  try {
    const text = execFileSync('java', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return Number(/\d+/.exec(text)?.[0] ?? 0)
  } catch (error) {
    // Java 8 does not know --version and fails; a missing one cannot be started at all
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? null : 8
  }
}

/** Gives a new data directory its identity and users; leaves one that has them alone. */
function format(java: readonly string[], dir: string, config: string, users: Readonly<Record<string, string>>): void {
  if (existsSync(join(dir, 'data', 'meta.properties'))) return
  const scram = Object.entries(users).flatMap(([name, password]) => [
    '--add-scram',
    `SCRAM-SHA-512=[name=${name},password=${password}]`,
  ])
  const args = [...java, 'kafka.tools.StorageTool', 'format', '-t', CLUSTER_ID, '-c', config, ...scram]
  try {
    execFileSync('java', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    throw new BcodError('BROKER_START_FAILED', `${dir} could not be formatted`, { place: dir, cause: error })
  }
}

/** Ports that were free a moment ago; all held at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer()
      await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve))
      return server
    }),
  )
  const ports = servers.map((server) => {
    const address = server.address()
    return typeof address === 'object' && address ? address.port : 0
  })
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
