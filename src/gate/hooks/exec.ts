import { type ChildProcess, spawn } from 'node:child_process'
import { BcodError } from '../../errors.js'
import { systemCode } from '../../files/durable-files.js'
import type { Check } from '../check.js'
import { hookRequest, MAX_ANSWER, readVerdict } from './verdict.js'

export interface ExecOptions {
  /** Program and arguments; no shell reads them. */
  readonly command: readonly string[]
  /** `model.path` */
  readonly model: string
  /** `gate.timeout`, milliseconds. */
  readonly timeout: number
  /** Whether what it writes to standard error is shown; it may hold anything. */
  readonly showErrors: boolean
}

/**
 * `exec:<name>`: a program of the team's own. It gets a `HookRequest` on standard input and prints its verdict. It runs
 * in a process group of its own, which is killed as a whole when the time is over, when it says too much, and when it
 * ends and leaves others behind. It sees no BCOD_… variables: they may be secrets.
 */
export const execCheck = (name: string, options: ExecOptions): Check => {
  const check = `exec:${name}`
  return {
    name: check,
    async run(subject) {
      const request = JSON.stringify(hookRequest(check, options.model, subject))
      return readVerdict(await outputOf(check, request, options, subject.signal), check)
    },
  }
}

/** What the program prints. @throws GATE_HOOK_TIMEOUT, GATE_HOOK_FAILED, GATE_HOOK_INVALID, the signal's reason */
function outputOf(place: string, input: string, options: ExecOptions, signal: AbortSignal): Promise<string> {
  const failed = (message: string, cause?: unknown) => new BcodError('GATE_HOOK_FAILED', message, { place, cause })
  return new Promise((resolve, reject) => {
    const child = start(options)
    const end = (finish: () => void) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', aborted)
      killGroup(child)
      finish()
    }
    const aborted = () => end(() => reject(signal.reason))
    const timer = setTimeout(
      () =>
        end(() => reject(new BcodError('GATE_HOOK_TIMEOUT', `no answer in ${options.timeout / 1000} s`, { place }))),
      options.timeout,
    )
    signal.addEventListener('abort', aborted)
    const chunks: Buffer[] = []
    let bytes = 0
    child.stdout?.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes > MAX_ANSWER)
        end(() => reject(new BcodError('GATE_HOOK_INVALID', `it printed more than ${MAX_ANSWER} bytes`, { place })))
    })
    child.on('error', (error) => end(() => reject(failed(`cannot be started (${systemCode(error)})`, error))))
    // others of its group may hold its output open
    child.on('exit', () => killGroup(child))
    child.on('close', (code, killed) =>
      end(() => {
        if (code === 0) resolve(Buffer.concat(chunks).toString('utf8'))
        else reject(failed(killed === null ? `it ended with code ${code}` : `it was ended by ${killed}`))
      }),
    )
    // one that does not read its input says so by its verdict
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input)
  })
}

function start({ command, showErrors }: ExecOptions): ChildProcess {
  const [program = '', ...args] = command
  const env = Object.fromEntries(Object.entries(process.env).filter(([variable]) => !variable.startsWith('BCOD_')))
  const stdio = ['pipe', 'pipe', showErrors ? 'inherit' : 'ignore'] as const
  return spawn(program, args, { env, stdio: [...stdio], detached: true })
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // nobody of it is left
  }
}
