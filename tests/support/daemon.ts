import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A port that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return port
}

export interface Status {
  readonly state: string
  readonly step: number
  readonly waiting: number
  readonly lag: Readonly<Record<string, number>>
  readonly dead_letters_waiting: number
  readonly adapter: string | null
}

/** `bcod run` as a process of its own, on the small golden model. */
export class DaemonProcess {
  readonly checkpoints: string
  readonly adapters: string
  private child: ChildProcess | null = null
  private exited: Promise<number | null> = Promise.resolve(null)
  log = ''

  private constructor(
    readonly directory: string,
    readonly port: number,
  ) {
    this.checkpoints = join(directory, 'checkpoints')
    this.adapters = join(directory, 'adapters')
  }

  static async create(directory: string, settings: Readonly<Record<string, unknown>>): Promise<DaemonProcess> {
    const daemon = new DaemonProcess(directory, await freePort())
    mkdirSync(directory, { recursive: true })
    const config = {
      'model.path': 'tests/golden/tiny_llama',
      'lora.r': 4,
      'limits.maxLength': 32,
      'batch.tokens': 256,
      'stream.holdBack': '0',
      'checkpoint.dir': daemon.checkpoints,
      'adapters.dir': daemon.adapters,
      'server.port': daemon.port,
      'log.level': 'info',
      ...settings,
    }
    const tree: Record<string, Record<string, unknown>> = {}
    for (const [key, value] of Object.entries(config)) {
      const [group, name] = key.split('.') as [string, string]
      tree[group] = { ...tree[group], [name]: value }
    }
    writeFileSync(join(directory, 'bcod.json'), JSON.stringify(tree))
    return daemon
  }

  start(...flags: string[]): void {
    const args = ['dist/cli.js', 'run', '--config', join(this.directory, 'bcod.json'), ...flags]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.child = child
    this.log = ''
    child.stderr.on('data', (chunk: Buffer) => {
      this.log += chunk.toString()
    })
    this.exited = once(child, 'exit').then(([code]) => code as number | null)
    const end = () => child.kill('SIGKILL')
    process.once('exit', end)
    void this.exited.then(() => process.off('exit', end))
  }

  async get(path: string): Promise<Response | null> {
    return fetch(`http://127.0.0.1:${this.port}${path}`).catch(() => null)
  }

  async status(): Promise<Status | null> {
    const response = await this.get('/status')
    return response?.ok ? ((await response.json()) as Status) : null
  }

  /** Waits until the status satisfies `condition`; fails with the log when the process ends or time is up. */
  async until(condition: (status: Status) => boolean, limit = 60_000): Promise<Status> {
    for (const end = Date.now() + limit; Date.now() < end; await sleep(50)) {
      const status = await this.status()
      if (status && condition(status)) return status
      if (this.child?.exitCode !== null && this.child?.exitCode !== undefined)
        throw new Error(`the daemon ended with ${this.child.exitCode}\n${this.log.slice(-3000)}`)
    }
    throw new Error(
      `not within ${limit} ms: ${condition}\n${JSON.stringify(await this.status())}\n${this.log.slice(-3000)}`,
    )
  }

  async kill(): Promise<void> {
    this.child?.kill('SIGKILL')
    await this.exited
  }

  /** Sends SIGTERM and gives the exit code. */
  async stop(): Promise<number | null> {
    this.child?.kill('SIGTERM')
    return this.exited
  }

  async exitCode(): Promise<number | null> {
    return this.exited
  }
}

export const settled = (status: Status): boolean =>
  status.state === 'running' &&
  status.waiting === 0 &&
  status.dead_letters_waiting === 0 &&
  Object.values(status.lag).every((lag) => lag === 0)
