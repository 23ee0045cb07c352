import { setTimeout as sleep } from 'node:timers/promises'

import type { Cause } from '../adapters/moves/move.js'
import { Registry } from '../adapters/registry/registry.js'
import { openRegistryFiles } from '../adapters/storage/open-files.js'

import type { Journal } from '../checkpoint/journal.js'
import { textOptions } from '../config/text-options.js'
import { BcodError } from '../errors.js'
import { openGate } from '../gate/open-gate.js'
import { readVersion } from '../gate/read-version.js'
import type { Check } from '../server/health.js'
import { DeadLetterSegments } from '../streams/dead-letter-segments.js'
import { Failed, LifecycleChanged, StandingBy } from '../telemetry/events/daemon.js'
import { TextProcessEnded } from '../telemetry/events/feedback.js'
import { TextProcess } from '../text/text-process.js'
import { inspectLineage, type Recovered, recoverLineage, releaseState } from '../training/recovery.js'
import type { AdapterVerbsParts } from './adapters/adapter-verbs.js'
import { hasServers } from './adapters/wanted-versions.js'
import { compose, composeTraining, type DaemonParts, servedAs, type Training } from './compose.js'
import { waitForLeadership } from './leadership.js'
import { loadLearner, restoreLearner } from './load-learner.js'
import type { DaemonLearner, DaemonOptions, DaemonText } from './options.js'
import { type DaemonStatus, liveChecks, readyChecks, type StatusParts, statusOf } from './status.js'
import { restoreStream } from './stream/restore.js'
import { TrainingLoop } from './training-loop.js'

/** How long a rollback waits for servers to load the version that it leads to. Milliseconds. */
const LONGEST_BEFORE_ROLLBACK = 3_000

/** The daemon: from a log to published adapters. `run` resolves when it has been stopped and rejects when it fails. */
export class Daemon {
  readonly #parts: DaemonParts
  #text: DaemonText | null = null
  #journal: Journal | null = null
  #learner: DaemonLearner | null = null
  #training: Training | null = null

  constructor(options: DaemonOptions) {
    this.#parts = compose(options)
    this.lifecycle$.subscribe((state) => options.telemetry.emit(new LifecycleChanged(state)))
  }

  get lifecycle$(): DaemonParts['lifecycle$'] {
    return this.#parts.lifecycle$
  }

  /** Each step, once it is applied. */
  get step$(): DaemonParts['step$'] {
    return this.#parts.step$
  }

  /** The learner, once it is loaded. @throws INTERNAL before that */
  get learner(): DaemonLearner {
    if (!this.#learner) throw new BcodError('INTERNAL', 'the learner is not loaded yet')
    return this.#learner
  }

  /** Records read so far, as the sum of the read positions over partitions. */
  get read(): number {
    return this.#parts.state.recordsRead
  }

  /** Nothing is held back, no step is under way, and too little waits for a full batch. */
  get idle(): boolean {
    const { state, config } = this.#parts
    return state.isIdle(config.batch.size)
  }

  /** Events that wait for their step. */
  get waiting(): number {
    return this.#parts.state.waiting
  }

  async run(): Promise<void> {
    const { lifecycle$, telemetry } = this.#parts
    try {
      await this.#run()
      lifecycle$.next('stopped')
    } catch (error) {
      telemetry.emit(new Failed(error, true))
      lifecycle$.next('failed')
      throw error
    } finally {
      await this.#close()
      lifecycle$.complete()
    }
  }

  /** Stops reading, finishes the step under way, writes a checkpoint, commits, leaves. `run` resolves afterwards. */
  stop(): void {
    const { reader, stop } = this.#parts
    reader.close()
    stop.abort()
  }

  /** Trains what waits without waiting for a full batch. */
  flush(): void {
    this.#parts.flush$.next()
  }

  /** The registry, for whoever moves its aliases by hand. */
  get adapters(): AdapterVerbsParts {
    const { config, telemetry, stop, intervals, stage: onStage } = this.#parts
    const { model, adapters } = config
    const serve = async (version: string, cause: Cause) => {
      const servers = this.#training?.servers
      if (cause !== 'rolled back') {
        // somebody else runs, or nobody yet: no server would have it
        if (this.#training === null && hasServers(config.publish)) throw this.#notRunning()
        return servers?.publish(version)
      }
      // the way back waits for no server that is down
      const told = servers
        ?.publishWherePossible(version)
        .catch((error: unknown) => telemetry.emit(new Failed(error, false)))
      await Promise.race([told, sleep(LONGEST_BEFORE_ROLLBACK, null, { ref: false })])
    }
    const withdraw = async (version: string) => this.#training?.servers?.withdraw(version)
    const served = () => this.#training?.servers?.loaded ?? []
    const gate = async (version: string) => {
      if (this.#training === null || stop.signal.aborted) throw this.#notRunning()
      return this.#training.gateOnDemand.run(version).catch((error: unknown) => {
        throw stop.signal.aborted ? this.#notRunning() : error
      })
    }
    const moved = async () => {
      await this.#training?.watch.look()
      void this.#training?.servers?.lookIfMoved()
    }
    const options = { by: 'admin', reference: model.reference, serve, withdraw, onStage, ...servedAs(config) }
    const registry = new Registry(openRegistryFiles(adapters, onStage), options)
    const compare = async (a: string, b: string) => {
      if (this.#training === null || stop.signal.aborted) return null
      const versions = [await readVersion(registry, a), await readVersion(registry, b)] as const
      const inTime = AbortSignal.any([stop.signal, AbortSignal.timeout(intervals.gateAnswer)])
      return this.#training.compare(...versions, inTime)
    }
    return { registry, keep: adapters.keep, served, gate, compare, checkpoints: this.#parts.store, moved }
  }

  /**
   * Pauses training. The current step finishes, and its result is still checkpointed and published; records keep being
   * read up to the budget for what waits. A restart ends it, but not the pause of a guard, which only this ends.
   *
   * @throws ADAPTER_FROZEN for the end of a pause that a rollback began
   */
  pauseTraining(paused: boolean): void {
    const { pause } = this.#parts
    if (!paused && pause.has('registry'))
      throw new BcodError('ADAPTER_FROZEN', 'training is paused since a rollback', {
        place: this.#parts.files.place,
      })
    if (!paused) this.#training?.guards.resume()
    pause.set('person', paused)
  }

  /**
   * Makes everything so far durable now, commits it, and publishes the adapter if the gate passes it. Resolves with the
   * step that is durable and the version that was published last.
   *
   * @throws NOT_RUNNING before partitions were assigned and while it stops, CHECKPOINT_FAILED
   */
  async checkpoint(): Promise<{ readonly step: number; readonly adapter: string | null }> {
    const { queue, reader, stop } = this.#parts
    if (this.#training === null || reader.assignment === null || stop.signal.aborted) throw this.#notRunning()
    const { checkpointer, trainer, publisher } = this.#training
    const { step, durable } = await queue.enqueue(async () => {
      await checkpointer.checkpoint()
      reader.updateBackpressure()
      return { step: trainer.step, durable: checkpointer.durable }
    })
    if (!durable) throw new BcodError('CHECKPOINT_FAILED', `step ${step} is not durable and in the registry`)
    await publisher.settled()
    return { step, adapter: publisher.version }
  }

  live(): readonly Check[] {
    return liveChecks(this.#statusParts)
  }

  ready(): readonly Check[] {
    return readyChecks(this.#statusParts)
  }

  status(): DaemonStatus {
    return statusOf(this.#statusParts)
  }

  /** What routers read (`routing.json`); null before the registry was looked at. */
  routing(): object | null {
    return this.#training?.watch.routing ?? null
  }

  #notRunning(): BcodError {
    return new BcodError('NOT_RUNNING', `the daemon is ${this.lifecycle$.value}`)
  }

  get #statusParts(): StatusParts {
    const { lifecycle$, reader, state, telemetry, pause } = this.#parts
    const {
      trainer = null,
      publisher = null,
      watch = null,
      servers = null,
      canary = null,
      guards = null,
    } = this.#training ?? {}
    return {
      ...{
        reader,
        state,
        trainer,
        publisher,
        watch,
        servers,
        canary,
        guards,
        learner: this.#learner,
        history: telemetry.history,
      },
      ...{ lifecycle: lifecycle$.value, isTrainingPaused: pause.paused$.value },
    }
  }

  async #run(): Promise<void> {
    const { options, config, store, stop, lifecycle$ } = this.#parts
    const { acceptOlder = false } = options
    lifecycle$.next('loading')
    const inspected = await inspectLineage(config, config.model.path, store, acceptOlder)
    if (!(await this.#waitForLeadership())) return
    if (lifecycle$.value !== 'loading') lifecycle$.next('loading')
    const recovered = await recoverLineage(config, config.model.path, inspected, store, acceptOlder)
    const training = await this.#load(recovered)
    if (stop.signal.aborted) return
    const start = recovered.checkpoint?.snapshot ?? null
    const { learner } = this
    await new TrainingLoop({ ...this.#parts, training, text: this.#text, learner, info: learner.info, start }).run()
  }

  #waitForLeadership(): Promise<boolean> {
    const { config, log, telemetry, scheduler, stop, lifecycle$, intervals } = this.#parts
    return waitForLeadership({
      ...{ log, scheduler, directory: config.checkpoint.dir, everyMs: intervals.standby, stop: stop.signal },
      asking: () => lifecycle$.next('joining'),
      standby: (members) => {
        lifecycle$.next('standby')
        telemetry.emit(new StandingBy(config.stream.groupId, members))
      },
    })
  }

  /** Loads text process and learner, and restores learner and stream. What is open is closed by `run`, also on failure. */
  async #load(recovered: Recovered): Promise<Training> {
    const { options, config, telemetry, state, store, outcomes } = this.#parts
    const { checkpoint, fence, journal } = recovered
    this.#journal = journal
    const { startText = TextProcess.start } = options
    this.#text = await startText(config.model.path, {
      timeout: config.limits.tokeniseTimeout,
      text: textOptions(config),
      ended: (error) => telemetry.emit(new TextProcessEnded(error)),
    })
    const { lostWorkers, stop } = this.#parts
    const learner = await loadLearner(options, checkpoint?.snapshot ?? null, lostWorkers, stop.signal)
    this.#learner = learner
    const failed = (error: unknown) => telemetry.emit(new Failed(error, false))
    state.deadLetters.keepOn(new DeadLetterSegments({ directory: store.directory, fence, failed }))
    if (checkpoint) {
      await restoreLearner(learner, checkpoint.snapshot, options)
      const { sources } = config.limits
      const drop: typeof outcomes.drop = (position, reason) => outcomes.drop(position, reason)
      restoreStream(state, checkpoint.snapshot, { sources, maxLength: learner.info.maxLength, drop })
      releaseState(checkpoint)
    } else state.deadLetters.restore({ letters: [] })
    const gate = await openGate({
      ...{ config, learner, text: this.#text, checkpoints: store.directory, showErrors: false },
      heldOut: () => state.heldOut.recent(this.#parts.clock.now()),
    })
    this.#training = composeTraining(this.#parts, recovered, learner, this.#text, gate)
    // before anything trains: a guard may have tripped, or the registry may be frozen
    this.#training.guards.restore()
    await this.#training.watch.look()
    return this.#training
  }

  async #close(): Promise<void> {
    const { log, state, telemetry } = this.#parts
    this.#training?.publisher.stop()
    this.#text?.close()
    await log.close().catch((error: unknown) => telemetry.emit(new Failed(error, false)))
    await this.#journal?.close()
    await state.deadLetters.close()
    await this.#learner?.close()
  }
}
