import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort } from './daemon.js'

const LIMIT_MS = 60_000
const SECRET = '0123456789abcdef0123456789abcdef'
/** For votes without a token. */
export const API_KEY = 'the-key-of-an-application'

export interface GatewaySettings {
  readonly upstreams: readonly string[]
  readonly bootstrap: string
  readonly topic: string
  /** Further keys of `gateway`. */
  readonly gateway?: Readonly<Record<string, unknown>>
  /** Further keys of `stream`. */
  readonly stream?: Readonly<Record<string, unknown>>
  /** Milliseconds that its clock is ahead. @default 0 */
  readonly clockOffset?: number
}

export interface Asked {
  readonly completion: string
  readonly token: string | null
}

/** `bcod gateway` as a process of its own. All replicas have the same secrets and one API key. */
export class GatewayProcess {
  private constructor(
    private readonly child: ChildProcess,
    readonly port: number,
    readonly statusPort: number,
  ) {}

  /** @param directory  for its files */
  static async start(directory: string, settings: GatewaySettings): Promise<GatewayProcess> {
    const [port, statusPort] = [await freePort(), await freePort()]
    mkdirSync(directory, { recursive: true })
    const [file, keys] = [join(directory, `gateway-${port}.json`), join(directory, 'keys')]
    writeFileSync(keys, `${API_KEY}\n`)
    const { upstreams, bootstrap, topic } = settings
    const gateway = { port, upstreams, userSalt: SECRET, voteKey: SECRET, apiKeysFile: keys, ...settings.gateway }
    const stream = { brokers: [bootstrap], topic, ...settings.stream }
    writeFileSync(file, JSON.stringify({ gateway, stream, server: { port: statusPort } }))
    const { clockOffset = 0 } = settings
    const clock = clockOffset === 0 ? [] : ['--import', './tests/support/clock.mjs']
    const child = spawn(process.execPath, [...clock, 'dist/cli.js', 'gateway', '--config', file], {
      stdio: 'ignore',
      env: { ...process.env, BCOD_CLOCK_OFFSET: String(clockOffset) },
    })
    const end = () => void child.kill('SIGKILL')
    process.once('exit', end)
    child.once('exit', () => process.off('exit', end))
    const replica = new GatewayProcess(child, port, statusPort)
    // a token is the promise that the log is there
    for (const end = Date.now() + LIMIT_MS; (await replica.ask().catch(() => null))?.token == null; await sleep(100))
      if (Date.now() > end) throw new Error('the gateway gives no token')
    return replica
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  async ask(more: object = {}): Promise<Asked> {
    const messages = [{ role: 'user', content: 'Where is my order?' }]
    const answer = await this.post('/v1/chat/completions', { model: 'shop', user: 'ann', messages, ...more })
    const { id } = (await answer.json()) as { readonly id: string }
    return { completion: id, token: answer.headers.get('x-bcod-vote') }
  }

  async vote(vote: object, headers: Readonly<Record<string, string>> = {}): Promise<{ status: number; body: unknown }> {
    const said = await this.post('/v1/feedback', { label: true, ...vote }, headers)
    return { status: said.status, body: await said.json() }
  }

  /** @param patience  milliseconds until it throws */
  post(
    path: string,
    body: object,
    headers: Readonly<Record<string, string>> = {},
    patience = LIMIT_MS,
  ): Promise<Response> {
    const all = { 'content-type': 'application/json', ...headers }
    const signal = AbortSignal.timeout(patience)
    return fetch(`${this.url}${path}`, { method: 'POST', headers: all, body: JSON.stringify(body), signal })
  }

  /** What the port of Kubernetes and Prometheus answers. */
  look(path: string): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.statusPort}${path}`)
  }

  /** Asks it to end, and resolves to its exit status. */
  async stop(): Promise<number | null> {
    return this.end('SIGTERM')
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name)
  }

  /** Ends it at once, as a power cut does. */
  async kill(): Promise<void> {
    await this.end('SIGKILL')
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this
    const ended = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : null
    child.kill(signal)
    await ended
    return child.exitCode
  }
}
