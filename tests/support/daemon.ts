import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type JournalLine, journalPath } from '../../src/checkpoint/journal.js'
import { parseCheckpointName } from '../../src/checkpoint/snapshot.js'
import type { DaemonStatus } from '../../src/daemon/status.js'
import { endText, type ProcessEnd } from '../../src/demo/kafka/process-end.js'

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

/** `bcod run` as a process of its own, on the small golden model. */
export class DaemonProcess {
  private child: ChildProcess | null = null
  private exited: Promise<ProcessEnd> = Promise.resolve({ code: null, signal: null })
  log = ''
  /** What its environment has beside the test's own, from the next start on. */
  environment: Readonly<Record<string, string>> = {}
  /** How many descriptors it may have open (`ulimit -n`), from the next start on; null: as many as the test. */
  descriptors: number | null = null

  private constructor(
    readonly directory: string,
    readonly checkpoints: string,
    readonly port: number,
    readonly adapters: string,
  ) {}

  static async create(directory: string, settings: Readonly<Record<string, unknown>>): Promise<DaemonProcess> {
    const checkpoints = (settings['checkpoint.dir'] as string | undefined) ?? join(directory, 'checkpoints')
    const adapters = (settings['adapters.dir'] as string | undefined) ?? join(directory, 'adapters')
    const daemon = new DaemonProcess(directory, checkpoints, await freePort(), adapters)
    mkdirSync(directory, { recursive: true })
    const config = {
      'model.path': 'tests/golden/tiny_llama',
      'lora.r': 4,
      'limits.maxLength': 32,
      // a few voters and prompts are all there is: caps have tests of their own
      'limits.userShare': 0,
      'limits.promptRepeats': 0,
      // few shapes of batches to trace and compile: votes are short, and a step of several batches is as good
      'batch.tokens': 64,
      'stream.holdBack': '0',
      // one that follows a kill -9 waits so long for its partitions
      'stream.sessionTimeout': '3s',
      'checkpoint.dir': daemon.checkpoints,
      'adapters.dir': daemon.adapters,
      'server.port': daemon.port,
      'log.level': 'info',
      ...settings,
    }
    writeFileSync(daemon.#config, JSON.stringify(treeOf(config)))
    return daemon
  }

  start(...flags: string[]): void {
    this.#spawn(['dist/cli.js', 'run', '--config', this.#config, ...flags])
  }

  /** As `start`, but it kills itself with -9 when it reaches the stage for the `count`th time. */
  startToDieAt(stage: string, count = 1): void {
    this.#spawn(['tests/support/victim.mjs', this.#config, stage, String(count)])
  }

  get #config(): string {
    return join(this.directory, 'bcod.json')
  }

  #spawn(args: readonly string[]): void {
    const env = { ...process.env, ...this.environment }
    const limited = ['-c', `ulimit -n ${this.descriptors}; exec "$0" "$@"`, process.execPath, ...args]
    const [command, all] = this.descriptors === null ? [process.execPath, args] : ['/bin/sh', limited]
    const child = spawn(command, all, { stdio: ['ignore', 'ignore', 'pipe'], env })
    this.child = child
    this.log = ''
    child.stderr.on('data', (chunk: Buffer) => {
      this.log += chunk.toString()
    })
    // `close`: the log is whole then
    this.exited = once(child, 'close').then(([code, signal]) => ({ code, signal }) as ProcessEnd)
    const end = () => child.kill('SIGKILL')
    process.once('exit', end)
    void this.exited.then(() => process.off('exit', end))
  }

  async get(path: string): Promise<Response | null> {
    return fetch(`http://127.0.0.1:${this.port}${path}`).catch(() => null)
  }

  async status(): Promise<DaemonStatus | null> {
    const response = await this.get('/status')
    return response?.ok ? ((await response.json()) as DaemonStatus) : null
  }

  /** Waits until the status satisfies `condition`; fails with the log when the process ends or time is up. */
  async until(condition: (status: DaemonStatus) => boolean, limit = 120_000): Promise<DaemonStatus> {
    for (const end = Date.now() + limit; Date.now() < end; await sleep(50)) {
      const status = await this.status()
      if (status && condition(status)) return status
      if (this.ended) throw new Error(`the daemon ${endText(await this.exited)}\n${this.log.slice(-3000)}`)
    }
    throw new Error(
      `not within ${limit} ms: ${condition}\n${JSON.stringify(await this.status())}\n${this.log.slice(-3000)}`,
    )
  }

  /** Waits until the log matches `pattern`. */
  async says(pattern: RegExp, limit = 60_000): Promise<void> {
    for (const end = Date.now() + limit; !pattern.test(this.log); await sleep(20)) {
      const how = this.ended ? `, the daemon ${endText(await this.exited)}` : ''
      if (Date.now() > end) throw new Error(`not within ${limit} ms: ${pattern}${how}\n${this.log.slice(-3000)}`)
    }
  }

  /** The value of a series of /metrics, such as `bcod_dead_letters_total{code="FEEDBACK_INVALID"}`; 0 where it is not there. */
  async metric(series: string): Promise<number> {
    const text = (await (await this.get('/metrics'))?.text()) ?? ''
    const line = text.split('\n').find((each) => each.startsWith(`${series} `))
    return line === undefined ? 0 : Number(line.slice(series.length + 1))
  }

  /** Every journaled step. */
  journal(): readonly JournalLine[] {
    const path = journalPath(this.checkpoints)
    const text = existsSync(path) ? readFileSync(path, 'utf8').trim() : ''
    return text === '' ? [] : text.split('\n').map((line) => JSON.parse(line) as JournalLine)
  }

  /** Names of the checkpoints, in the order of step and revision. */
  checkpointNames(): readonly string[] {
    const at = (name: string) => parseCheckpointName(name) ?? { step: -1, revision: -1 }
    return existsSync(this.checkpoints)
      ? readdirSync(this.checkpoints)
          .filter((name) => parseCheckpointName(name) !== null)
          .sort((a, b) => at(a).step - at(b).step || at(a).revision - at(b).revision)
      : []
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL')
    await this.exited
  }

  /** Whether it was started and is no more. */
  get ended(): boolean {
    return this.child !== null && (this.child.exitCode !== null || this.child.signalCode !== null)
  }

  signal(signal: NodeJS.Signals): void {
    this.child?.kill(signal)
  }

  /** Sends SIGTERM and gives the exit code. */
  async stop(): Promise<number | null> {
    this.signal('SIGTERM')
    return (await this.exited).code
  }

  /** How it ends; fails when it runs on for `limit` ms. */
  async exit(limit = 120_000): Promise<ProcessEnd> {
    const late = sleep(limit, null, { ref: false })
    const exit = await Promise.race([this.exited, late])
    if (exit === null) throw new Error(`the daemon still runs after ${limit} ms\n${this.log.slice(-3000)}`)
    return exit
  }
}

/** Everything of the partitions that the daemon has at present is trained, dropped or dead-lettered. */
export const settled = (status: DaemonStatus): boolean =>
  status.state === 'running' &&
  status.waiting === 0 &&
  status.dead_letters_waiting === 0 &&
  Object.values(status.lag).every((lag) => lag === 0)

/** `{ 'stream.tls.ca': x }` as `{ stream: { tls: { ca: x } } }`. */
function treeOf(settings: Readonly<Record<string, unknown>>): object {
  const tree: Branch = {}
  for (const [key, value] of Object.entries(settings)) {
    const names = key.split('.')
    const last = names.pop() as string
    let branch = tree
    for (const name of names) {
      branch[name] ??= {}
      branch = branch[name] as Branch
    }
    branch[last] = value
  }
  return tree
}

interface Branch {
  [name: string]: unknown
}
