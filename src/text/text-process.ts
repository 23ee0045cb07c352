import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { BcodError } from '../errors.js'
import { killChild } from '../kill-child.js'
import { deserializeError, type SerializedError, serializeError } from '../serialized-error.js'
import type { LabelledVote, Outcome, TextCalls, TextDescription, TokenLimits } from './text-calls.js'
import type { TextOptions } from './text-model.js'

/** Compiled code: a process runs no TypeScript, also where tests import this file as it is. */
const SERVER = fileURLToPath(
  import.meta.url.endsWith('.ts')
    ? new URL('../../dist/text/text-server.js', import.meta.url)
    : new URL('./text-server.js', import.meta.url),
)

export interface TextRequest {
  readonly name: keyof TextCalls | 'load'
  readonly args: readonly unknown[]
  /** After so many milliseconds the process ends by itself. */
  readonly orphanMs: number
}

export type TextReply = { readonly value: unknown } | { readonly error: SerializedError }

/** A model's tokenizer and template, wherever they run. */
export interface TextService {
  readonly description: TextDescription
  tokenise(votes: readonly LabelledVote[], limits: TokenLimits): Promise<readonly Outcome[]>
  encodePrompt(...args: Parameters<TextCalls['encodePrompt']>): Promise<readonly number[]>
  encodeCompletion(...args: Parameters<TextCalls['encodeCompletion']>): Promise<readonly number[]>
  decode(...args: Parameters<TextCalls['decode']>): Promise<readonly string[]>
  close(): void
}

export interface TextProcessOptions {
  /** `limits.tokeniseTimeout`: what one vote may take, in milliseconds. */
  readonly timeout: number
  /** How the text of votes is rendered and tokenised. */
  readonly text?: TextOptions
  /** Told of each end of the process that was not asked for, and of each start that failed. */
  readonly ended?: (error: BcodError) => void
  /** How many starts in a row may fail before calls fail too, from then on. @default no limit: calls wait */
  readonly tries?: number
  /** Between two tries to start it again, in milliseconds: the first pause, and the longest. */
  readonly pauses?: { readonly first: number; readonly longest: number }
}

const PAUSES = { first: 1_000, longest: 30_000 }

/** Reading a large vocabulary takes seconds on a slow machine. */
const LOAD_MS = 60_000
/** JavaScript's heap of the process, in MiB. A vocabulary of 256,000 with its merges takes about 300. */
const HEAP_MIB = 1024

/**
 * A model's tokenizer and template in a process of their own (text-server.ts). Calls are answered one at a time, in
 * order. A call that takes too long, or that ends the process, fails with TEXT_TIMEOUT or TEXT_PROCESS_ENDED, and the
 * next one finds a new process. While that cannot be started, the calls wait, for no text is at fault; with `tries`, all
 * of them fail in the end.
 */
export class TextProcess implements TextService {
  #child: Child | null = null
  #turn: Promise<unknown> = Promise.resolve()
  readonly #closing = new AbortController()
  #description: TextDescription | null = null
  /** Why it is not tried again. */
  #givenUp: BcodError | null = null

  private constructor(
    private readonly modelDir: string,
    private readonly options: TextProcessOptions,
  ) {}

  /**
   * Loads the tokenizer and the template of a model directory; null if it has no `tokenizer.json`.
   *
   * @throws TOKENIZER_INVALID, CHAT_TEMPLATE_FAILED, TEXT_TIMEOUT, TEXT_PROCESS_ENDED
   */
  static async start(modelDir: string, options: TextProcessOptions): Promise<TextProcess | null> {
    const text = new TextProcess(modelDir, options)
    const { description } = await text.#start()
    if (description === null) {
      text.close()
      return null
    }
    text.#description = description
    return text
  }

  get description(): TextDescription {
    if (!this.#description) throw new BcodError('INTERNAL', 'the text process is not started')
    return this.#description
  }

  /**
   * An outcome for each vote. Where a call fails, its votes are tried again one by one: the vote that takes too long is
   * found, and one that was only in its company, or met a process that somebody killed, is not given up.
   */
  async tokenise(votes: readonly LabelledVote[], limits: TokenLimits): Promise<readonly Outcome[]> {
    try {
      return await this.#call('tokenise', votes, limits)
    } catch (error) {
      if (!failedCall(error) || this.#over) throw error
    }
    const outcomes: Outcome[] = []
    for (const vote of votes) outcomes.push(await this.#alone(vote, limits))
    return outcomes
  }

  encodePrompt(...args: Parameters<TextCalls['encodePrompt']>): Promise<readonly number[]> {
    return this.#call('encodePrompt', ...args)
  }

  encodeCompletion(...args: Parameters<TextCalls['encodeCompletion']>): Promise<readonly number[]> {
    return this.#call('encodeCompletion', ...args)
  }

  decode(...args: Parameters<TextCalls['decode']>): Promise<readonly string[]> {
    return this.#call('decode', ...args)
  }

  /** Ends the process; calls under way fail. */
  close(): void {
    this.#closing.abort()
    this.#child?.kill()
    this.#child = null
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted
  }

  get #over(): boolean {
    return this.#closed || this.#givenUp !== null
  }

  async #alone(vote: LabelledVote, limits: TokenLimits): Promise<Outcome> {
    try {
      const [outcome] = await this.#call('tokenise', [vote], limits)
      return outcome as Outcome
    } catch (error) {
      if (!failedCall(error) || this.#over) throw error
      return { error: serializeError(error, 'text process') }
    }
  }

  #call<N extends keyof TextCalls>(name: N, ...args: Parameters<TextCalls[N]>): Promise<ReturnType<TextCalls[N]>> {
    const turn = this.#turn.then(async () => {
      const child = await this.#running()
      return (await this.#ask(child, name, args, this.options.timeout)) as ReturnType<TextCalls[N]>
    })
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  /**
   * A process that can be asked. One that cannot be started, for want of memory or of the right to start processes, is
   * tried again until it can, until `close`, until the model itself is refused, or as often as `tries` says.
   */
  async #running(): Promise<Child> {
    if (this.#child?.end) this.#lost(this.#child.end)
    if (this.#child) return this.#child
    const { first, longest } = this.options.pauses ?? PAUSES
    for (let pause = first, failed = 1; ; pause = Math.min(2 * pause, longest), failed++) {
      if (this.#givenUp) throw this.#givenUp
      try {
        const { child, description } = await this.#start()
        if (description) return child
        child.kill()
        this.#child = null
        throw new BcodError('TOKENIZER_INVALID', 'it is there no more', {
          place: join(this.modelDir, 'tokenizer.json'),
        })
      } catch (error) {
        if (this.#closed || refusedModel(error)) throw error
        if (failed >= (this.options.tries ?? Number.POSITIVE_INFINITY)) {
          this.#givenUp = new BcodError('TEXT_PROCESS_ENDED', `it could not be started again in ${failed} tries`, {
            cause: error,
          })
        }
      }
      if (this.#givenUp) continue
      await sleep(pause, undefined, { signal: this.#closing.signal }).catch(() => undefined)
    }
  }

  async #start(): Promise<{ readonly child: Child; readonly description: TextDescription | null }> {
    if (this.#closed) throw new BcodError('TEXT_PROCESS_ENDED', 'it was closed')
    const child = new Child()
    this.#child = child
    try {
      const description = await this.#ask(child, 'load', [this.modelDir, this.options.text ?? {}], LOAD_MS)
      return { child, description: description as TextDescription | null }
    } catch (error) {
      child.kill()
      this.#child = null
      throw error
    }
  }

  async #ask(child: Child, name: TextRequest['name'], args: readonly unknown[], timeout: number): Promise<unknown> {
    try {
      return await child.ask(name, args, timeout)
    } catch (error) {
      if (endedProcess(error) || (name === 'load' && !refusedModel(error))) this.#lost(coded(error))
      throw error
    }
  }

  #lost(error: BcodError): void {
    this.#child = null
    if (!this.#closed) this.options.ended?.(error)
  }
}

/** Whether a call failed because its process is no more. */
const endedProcess = (error: unknown): error is BcodError =>
  error instanceof BcodError && (error.code === 'TEXT_TIMEOUT' || error.code === 'TEXT_PROCESS_ENDED')

/** Whether the call itself failed, not the loading of the model before it. */
const failedCall = (error: unknown): error is BcodError =>
  endedProcess(error) || (error instanceof BcodError && error.code === 'INTERNAL')

/** Whether loading failed for a reason of the model's own: trying again would change nothing. */
const refusedModel = (error: unknown): boolean => error instanceof BcodError && !failedCall(error)

const coded = (error: unknown): BcodError =>
  error instanceof BcodError ? error : deserializeError(serializeError(error, 'text process'))

/** A call's time is looked at this often. */
const TICKS = 20
/** A process whose parent is gone ends by itself after this many times the limit of the call. */
const ORPHAN_LIMITS = 4

/** One process. It holds no secret, and the command that started it does not wait for it. */
class Child {
  readonly #process: ChildProcess | null
  #settle: ((reply: TextReply | BcodError) => void) | null = null
  #end: BcodError | null = null

  constructor() {
    this.#process = this.#fork()
    this.#process?.unref()
    this.#process?.on('message', (reply: TextReply) => this.#settle?.(reply))
    this.#process?.on('error', (cause) => this.#ended(`it cannot be reached (${reason(cause)})`))
    this.#process?.on('exit', (code, signal) => this.#ended(`it ended with ${signal ?? `code ${code}`}`))
    this.#process?.channel?.unref()
  }

  /** Why it can be asked no more. */
  get end(): BcodError | null {
    return this.#end
  }

  /** @throws TEXT_TIMEOUT, TEXT_PROCESS_ENDED, and what the call throws */
  ask(name: TextRequest['name'], args: readonly unknown[], timeout: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#end) return reject(this.#end)
      let ticks = 0
      // ticks of this process are counted: time in which it stood still itself is not the call's
      const timer = setInterval(() => {
        ticks += 1
        if (ticks < TICKS) return
        clearInterval(timer)
        // an answer that is here already is read first
        setImmediate(() => settle(new BcodError('TEXT_TIMEOUT', `not done within ${timeout / 1000} s`)))
      }, timeout / TICKS)
      const settle = (reply: TextReply | BcodError): void => {
        if (this.#settle !== settle) return
        this.#settle = null
        clearInterval(timer)
        if (reply instanceof BcodError) {
          this.kill()
          reject(reply)
        } else if ('error' in reply) reject(deserializeError(reply.error))
        else resolve(reply.value)
      }
      this.#settle = settle
      // a process without a channel was never started, or has just ended: `error` or `exit` is on its way
      if (this.#process?.connected)
        this.#process.send({ name, args, orphanMs: ORPHAN_LIMITS * timeout } satisfies TextRequest)
    })
  }

  kill(): void {
    // kill(0) would end everything that was started together with this process
    if (this.#process) killChild(this.#process, 'SIGKILL')
  }

  /** Null if the system refuses at once; most refusals come as `error`. */
  #fork(): ChildProcess | null {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(BCOD|AWS)_/.test(name)))
    try {
      return fork(SERVER, {
        ...{ env, serialization: 'advanced', stdio: ['ignore', 'ignore', 'ignore', 'ipc'] },
        execArgv: [`--max-old-space-size=${HEAP_MIB}`],
      })
    } catch (error) {
      this.#ended(`it cannot be started (${reason(error)})`)
      return null
    }
  }

  #ended(message: string): void {
    this.#end ??= new BcodError('TEXT_PROCESS_ENDED', message)
    this.#settle?.(this.#end)
  }
}

const reason = (error: unknown): string =>
  error instanceof Error ? ((error as NodeJS.ErrnoException).code ?? error.name) : 'unknown'
