import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { addonPath } from '../engine/own-addons.js'
import { BcodError } from '../errors.js'
import { killChild } from '../kill-child.js'

/** What the program needs to know. */
export interface ServerProcessOptions {
  /** The IP address that it listens at. */
  readonly address: string
  /** A ServerDef, which has the port. */
  readonly definition: Uint8Array
  /** Whether a GPU may multiply f32 in TF32. */
  readonly tf32: boolean
  /** Its whole environment: what runs there is somebody else's program, so it gets no secrets. */
  readonly environment: NodeJS.ProcessEnv
  /** Told of each line that it writes to stderr, but TensorFlow's notices. @default stderr is that of this process */
  readonly onComplaint?: (line: string) => void
}

/** How the program has ended. */
export interface Ending {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** What TensorFlow writes to stderr while it does not yet heed TF_CPP_MIN_LOG_LEVEL. */
const NOTICE = /^I0000 |^WARNING: All log messages before absl::InitializeLog\(\)/

/** TensorFlow's server in a process of its own, which ends with this one however that ends. */
export class ServerProcess {
  private constructor(
    private readonly child: ChildProcess,
    /** When it has ended. */
    readonly ended: Promise<Ending>,
  ) {}

  /**
   * Resolves when the server serves.
   * @throws WORKER_BIND_FAILED, WORKER_FAILED
   */
  static async start(options: ServerProcessOptions): Promise<ServerProcess> {
    const { address, definition, tf32, environment, onComplaint } = options
    // a group of its own: Ctrl-C in a terminal is for this process, which ends it
    const child = spawn(addonPath('worker'), [address, tf32 ? '1' : '0', String(process.pid)], {
      ...{ env: environment, stdio: ['pipe', 'pipe', onComplaint ? 'pipe' : 'inherit'], detached: true },
    }) as ChildProcessByStdio<Writable, Readable, Readable | null>
    const ended = new Promise<Ending>((resolve) => child.once('exit', (code, signal) => resolve({ code, signal })))
    child.on('error', () => {}) // then it writes nothing
    child.stdin.on('error', () => {}) // then it has ended, and has said why
    child.stdin.end(definition)
    if (child.stderr !== null && onComplaint !== undefined)
      createInterface({ input: child.stderr }).on('line', (line) => {
        if (!NOTICE.test(line)) onComplaint(line)
      })
    const lines = createInterface({ input: child.stdout })
    const [word] = await Promise.race([once(lines, 'line'), once(lines, 'close')])
    if (word === 'serves') return new ServerProcess(child, ended)
    killChild(child, 'SIGKILL')
    const reason = String(word ?? 'it ended without a word').slice(0, 300)
    throw new BcodError(reason.startsWith('bind: ') ? 'WORKER_BIND_FAILED' : 'WORKER_FAILED', reason, {
      place: address,
    })
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  /** Ends it at once: it holds nothing that would be lost. */
  async stop(): Promise<void> {
    killChild(this.child, 'SIGKILL')
    await this.ended
  }
}
