import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { cpuPlaces, onlyCpus } from '../config/devices.js'
import { keepCompiled } from '../engine/compilation-cache.js'
import { nameDeaths } from '../engine/death-notice.js'
import { prepareEnvironment } from '../engine/environment.js'
import { BcodError } from '../errors.js'
import { deserializeError } from '../serialized-error.js'
import {
  type CallName,
  CLOSE_MESSAGE,
  type LearnerCalls,
  type LearnerInfo,
  type WorkerMessage,
  type WorkerSetup,
} from './protocol.js'

/** Compiled code: a worker thread runs no TypeScript, even if tests import this file as it is. */
const WORKER = import.meta.url.endsWith('.ts')
  ? new URL('../../dist/learner/worker.js', import.meta.url)
  : new URL('./worker.js', import.meta.url)

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: BcodError) => void
}

export interface RemoteLearnerEvents {
  readonly compiled?: (program: string, ms: number) => void
  /** A place is left out from here on. */
  readonly dropped?: (place: number, reason: BcodError) => void
}

/** A learner in a worker thread. Calls are answered one at a time, in order. */
export class RemoteLearner {
  readonly #waiting = new Map<number, Waiting>()
  #calls = 0
  #busySince: number | null = null
  #gone: BcodError | null = null
  #info: LearnerInfo | null = null
  #exited = false

  private constructor(
    private readonly worker: Worker,
    private readonly events: RemoteLearnerEvents,
    ready: (learner: RemoteLearner) => void,
    refused: (error: BcodError) => void,
  ) {
    worker.on('message', (message: WorkerMessage) => {
      if (message.kind === 'ready') {
        this.#info = message.info
        ready(this)
      } else if (message.kind === 'failure' && message.id === null) {
        // the thread ends by itself: nothing keeps it
        refused(deserializeError(message.error))
      } else this.#receive(message)
    })
    const gone = (error: BcodError) => {
      refused(error)
      this.#end(error)
    }
    worker.on('error', (cause) => gone(new BcodError('LEARNER_GONE', 'the learner thread failed', { cause })))
    worker.on('exit', (code) => {
      this.#exited = true
      gone(new BcodError('LEARNER_GONE', `the learner thread ended with code ${code}`))
    })
  }

  /**
   * Loads the model in a new thread. A crash in it ends this whole process, which names it on stderr as it dies.
   * @throws what the model directory, the adapter or TensorFlow give as coded errors
   */
  static start(setup: WorkerSetup, events: RemoteLearnerEvents = {}): Promise<RemoteLearner> {
    const { model, devices } = setup.config
    prepareEnvironment({ ...model, places: cpuPlaces(devices) }, { cpuAlone: onlyCpus(devices) })
    keepCompiled(model.compilationCache, model)
    nameDeaths(true)
    const worker = new Worker(WORKER, { workerData: setup })
    return new Promise((resolve, reject) => new RemoteLearner(worker, events, resolve, reject))
  }

  /** What the learner says of itself. */
  get info(): LearnerInfo {
    if (!this.#info) throw new BcodError('INTERNAL', 'the learner is not ready')
    return this.#info
  }

  /** Milliseconds that the present call has been running for; 0 when idle. */
  get busyMs(): number {
    return this.#busySince === null ? 0 : performance.now() - this.#busySince
  }

  call<N extends CallName>(name: N, ...args: Parameters<LearnerCalls[N]>): Promise<ReturnType<LearnerCalls[N]>> {
    if (this.#gone) return Promise.reject(this.#gone)
    const id = this.#calls++
    this.#busySince ??= performance.now()
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve: resolve as Waiting['resolve'], reject })
      this.worker.postMessage({ id, name, args })
    })
  }

  /**
   * Ends the thread: it is asked to close its session and end by itself, after the call under way. Terminating it would
   * tear it down inside TensorFlow's addon, which does not expect that.
   */
  async close(): Promise<void> {
    this.#end(new BcodError('LEARNER_GONE', 'the learner was closed'))
    if (this.#exited) return
    const exit = once(this.worker, 'exit')
    this.worker.postMessage(CLOSE_MESSAGE)
    await exit
  }

  #receive(message: WorkerMessage): void {
    if (message.kind === 'compiled') this.events.compiled?.(message.program, message.ms)
    if (message.kind === 'dropped') this.events.dropped?.(message.place, deserializeError(message.reason))
    if (message.kind !== 'result' && message.kind !== 'failure') return
    const waiting = this.#waiting.get(message.id ?? -1)
    if (!waiting) return
    this.#waiting.delete(message.id as number)
    this.#busySince = this.#waiting.size > 0 ? performance.now() : null
    if (message.kind === 'result') waiting.resolve(message.value)
    else waiting.reject(deserializeError(message.error))
  }

  #end(reason: BcodError): void {
    this.#gone ??= reason
    for (const { reject } of this.#waiting.values()) reject(this.#gone)
    this.#waiting.clear()
    this.#busySince = null
  }
}
