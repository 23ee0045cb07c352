import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { killChild } from '../../kill-child.js'
import type { ProcessEnd } from './process-end.js'

/** A child process that never outlives this one, however this one ends. */
export interface GuardedProcess {
  readonly pid: number
  /** Resolves to whether the text appeared in its output within `limit` ms; false as soon as the process ends. */
  says(text: string, limit: number): Promise<boolean>
  /** All it has printed. */
  log(): string
  /** How it ended; null while it runs. */
  ended(): ProcessEnd | null
  /** Sends the signal and waits for the end. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

export interface GuardOptions {
  readonly cwd: string
  /** Takes what the process prints; emptied first. */
  readonly logFile: string
  /** @default that of this process */
  readonly env?: NodeJS.ProcessEnv
  /** Ctrl-C in the terminal then goes to this process alone, and signals to its children as well. @default false */
  readonly ownGroup?: boolean
  /** Whether util-linux's setpriv is there. @default tried out */
  readonly setpriv?: boolean
}

const POLL = 25

/**
 * Starts a program under guard. On Linux the kernel kills it when this process dies, also by kill -9
 * (PR_SET_PDEATHSIG, set by setpriv). Elsewhere a shell reads a pipe from this process to its end, which comes when
 * this process is gone, and kills then.
 */
export function startGuarded(command: string, args: readonly string[], options: GuardOptions): GuardedProcess {
  const { cwd, logFile, ownGroup: detached = false } = options
  const { env = process.env, setpriv = works('setpriv', ['--pdeathsig', 'KILL', 'true']) } = options
  const output = openSync(logFile, 'w')
  const [program, ...rest] = setpriv ? ['setpriv', '--pdeathsig', 'KILL', command, ...args] : [command, ...args]
  const child = spawn(program ?? command, rest, { cwd, env, detached, stdio: ['ignore', output, output] })
  closeSync(output)
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()).once('error', () => resolve()))
  const watch = setpriv ? null : watchdog(child)
  const send = (signal: NodeJS.Signals) =>
    detached && child.pid ? signalGroup(child.pid, signal) : killChild(child, signal)
  const killWithUs = () => send('SIGKILL')
  process.once('exit', killWithUs)
  const running = () => child.exitCode === null && child.signalCode === null && child.pid !== undefined

  return {
    pid: child.pid ?? 0,
    async says(text, limit) {
      for (const until = Date.now() + limit; running() && Date.now() < until; await sleep(POLL))
        if (readFileSync(logFile, 'utf8').includes(text)) return true
      return false
    },
    log: () => readFileSync(logFile, 'utf8'),
    ended: () => (running() ? null : { code: child.exitCode, signal: child.signalCode }),
    async end(signal) {
      if (running()) send(signal)
      await exited
      if (watch) killChild(watch, 'SIGTERM')
      process.off('exit', killWithUs)
    },
  }
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

function watchdog(child: ChildProcess): ChildProcess {
  const script = 'cat >/dev/null; kill -9 "$0" 2>/dev/null'
  const shell = spawn('sh', ['-c', script, String(child.pid)], { stdio: ['pipe', 'ignore', 'ignore'], detached: true })
  shell.unref()
  return shell
}

const works = (command: string, args: readonly string[]): boolean => spawnSync(command, args).status === 0
