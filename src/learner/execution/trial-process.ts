import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { killChild } from '../../kill-child.js'
import type { TrialSetup } from './trial-session.js'

/** Compiled code: a process runs no TypeScript, also where tests import this file as it is. */
const SERVER = fileURLToPath(
  import.meta.url.endsWith('.ts')
    ? new URL('../../../dist/learner/execution/trial-server.js', import.meta.url)
    : new URL('./trial-server.js', import.meta.url),
)

export type TrialRequest = { readonly kind: 'load'; readonly setup: TrialSetup } | { readonly kind: 'run' }
export type TrialReply =
  | { readonly kind: 'loaded'; readonly gpu: boolean }
  | { readonly kind: 'ran'; readonly ms: number }

/** The process of a trial has ended, or cannot be started. */
export class TrialEnded extends Error {
  constructor(readonly trial: TrialProcess) {
    super('the process of a trial ended')
  }
}

/** One candidate in a process of its own (trial-server.ts). Calls are made one at a time; they throw `TrialEnded`. */
export class TrialProcess {
  readonly #child: ChildProcess

  /** @param signal  ends it */
  constructor(
    private readonly setup: TrialSetup,
    signal: AbortSignal,
  ) {
    // what TensorFlow has to say, it says again when the learner is loaded
    const stdio = ['ignore', 'ignore', 'ignore', 'ipc'] as const
    this.#child = fork(SERVER, { execArgv: [], stdio: [...stdio], signal, killSignal: 'SIGKILL' })
    // the end that follows is what calls see
    this.#child.on('error', () => undefined)
  }

  /** Loads TensorFlow and the model. @returns whether TensorFlow has a GPU */
  async load(): Promise<boolean> {
    const reply = await this.#ask({ kind: 'load', setup: this.setup })
    return reply.kind === 'loaded' && reply.gpu
  }

  /** One pass, in milliseconds. */
  async run(): Promise<number> {
    const reply = await this.#ask({ kind: 'run' })
    return reply.kind === 'ran' ? reply.ms : Number.NaN
  }

  end(): void {
    killChild(this.#child, 'SIGKILL')
  }

  #ask(request: TrialRequest): Promise<TrialReply> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const ended = () => {
        child.off('message', answered)
        reject(new TrialEnded(this))
      }
      const answered = (reply: unknown) => {
        child.off('exit', ended)
        resolve(reply as TrialReply)
      }
      if (!child.connected) return ended()
      child.once('message', answered)
      child.once('exit', ended)
      child.send(request, () => undefined)
    })
  }
}
