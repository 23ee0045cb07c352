import { setTimeout as sleep } from 'node:timers/promises'
import {
  asapScheduler,
  asyncScheduler,
  BehaviorSubject,
  exhaustMap,
  interval,
  merge,
  observeOn,
  Subject,
  Subscription,
} from 'rxjs'
import { publishedSteps, referenceDirectory } from '../adapters/publish.js'
import { versionName } from '../adapters/version.js'
import { holderHasEnded } from '../checkpoint/fence.js'
import type { Journal } from '../checkpoint/journal.js'
import type { Snapshot } from '../checkpoint/snapshot.js'
import { CheckpointStore } from '../checkpoint/store.js'
import type { ConfigFor } from '../config/requirements.js'
import { textOptions } from '../config/text-options.js'
import { eventEmbedding } from '../embeddings/event-embedding.js'
import { BcodError } from '../errors.js'
import type { Feedback, LogRecord, Position, TrainingEvent } from '../events/types.js'
import { startNote } from '../learner/config.js'
import { RemoteLearner } from '../learner/remote-learner.js'
import type { AppliedStep } from '../learner/step.js'
import { type Check, verdict } from '../server/health.js'
import { SteadyClock } from '../streams/collections/steady-clock.js'
import { LetterSegments } from '../streams/letter-segments.js'
import { Shard } from '../streams/shard.js'
import type { Assignment, FeedbackLog, OffsetRange } from '../streams/source.js'
import { sourceRule } from '../streams/sources.js'
import { EventTimeCorrected, RetentionHeadroom } from '../telemetry/events/consumer.js'
import { Failed, LifecycleChanged, ModelNoted, StandingBy } from '../telemetry/events/daemon.js'
import {
  DeadLettered,
  EventDropped,
  EventHeldOut,
  FeedbackReceived,
  FrameSkipped,
  PromptShortened,
  TextProcessEnded,
} from '../telemetry/events/feedback.js'
import { ClassifierReset, ProgramCompiled, PromptsEmbedded, TrainingPaused } from '../telemetry/events/training.js'
import type { LifecycleState } from '../telemetry/lifecycle.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { TextProcess } from '../text/text-process.js'
import { Intake } from './intake.js'
import { pipeline } from './pipeline.js'
import { inspectLine, type Recovered, recover, releaseState } from './recovery.js'
import { retentionHeadroom$ } from './retention.js'
import { SerialQueue } from './serial-queue.js'
import { type StreamSnapshot, StreamState } from './stream-state.js'
import { TrainingLine } from './training-line.js'

export interface DaemonOptions {
  readonly config: ConfigFor<'run'>
  readonly log: FeedbackLog
  readonly telemetry: Telemetry
  /** Go on from an older checkpoint where the newest is damaged. */
  readonly acceptOlder?: boolean
  /** Room for sampling with the current adapter; null = none. */
  readonly decoder?: { readonly rows: number; readonly length: number } | null
  /** Called at each point of the way from a record to a published adapter; a fault test kills the process there. */
  readonly onStage?: (stage: string) => void
}

/** A step may take this long outside of compilation before the daemon counts as stuck. */
const WORKER_LIMIT_MS = 10 * 60_000
/** Held votes are looked at this often when nothing comes in. */
const TICK_MS = 1_000
/** A daemon that stands by looks this often whether the group has become empty. */
const STANDBY_MS = 1_000
/** Dead letters get this long when the daemon stops; the rest is in the checkpoint. */
const LETTERS_MS = 5_000

/** A stop may take this long; what is not durable by then trains again after the restart. */
const DRAIN_MS = 25_000

/** The daemon: from a log to published adapters. `run` resolves when it has been stopped and rejects when it cannot go on. */
export class Daemon {
  readonly lifecycle$ = new BehaviorSubject<LifecycleState>('starting')
  /** Each step, once it is applied. */
  readonly step$ = new Subject<AppliedStep>()
  readonly #options: DaemonOptions
  readonly #state: StreamState
  readonly #intake: Intake
  readonly #free$ = new Subject<void>()
  readonly #flush$ = new Subject<void>()
  /** No step begins while it is true. */
  readonly #trainingPaused$ = new BehaviorSubject(false)
  /** Steps and checkpoints, one at a time. */
  readonly #queue = new SerialQueue(() => new BcodError('NOT_RUNNING', `the daemon is ${this.lifecycle$.value}`))
  readonly #stop$ = new Subject<void>()
  readonly #clock = new SteadyClock()
  #learner: RemoteLearner | null = null
  #line: TrainingLine | null = null
  #stopping = false

  constructor(options: DaemonOptions) {
    this.#options = options
    const { config, log, telemetry } = options
    this.lifecycle$.subscribe((state) => telemetry.emit(new LifecycleChanged(state)))
    this.#state = new StreamState(config, (event, reason) => this.#drop(event.position, reason), {
      write: (letters) => log.writeDeadLetters(letters),
      acknowledged: (letter) => {
        this.#state.positions.end(letter.record)
        this.#intake.relieve()
      },
      failed: (error) => telemetry.emit(new Failed(error, false)),
    })
    const shard = new Shard(config.stream)
    this.#intake = new Intake({
      ...{ config, log, telemetry, state: this.#state, lifecycle$: this.lifecycle$ },
      broken: () => this.#queue.isFailed,
      failing: () => this.#line?.failing === true,
      unreadable: ({ record, range, error }) =>
        shard.ownsUndecoded(record) ? this.#reject(record, error, 'unpack', range) : this.#drop(record, 'other_shard'),
      decoded: () => options.onStage?.('decoded'),
      now: () => this.#clock.now(),
    })
  }

  /** The learner's thread, once it is loaded. */
  get learner(): RemoteLearner {
    if (!this.#learner) throw new BcodError('INTERNAL', 'the learner is not loaded yet')
    return this.#learner
  }

  /** Records read so far, as the sum of the read positions over partitions. */
  get read(): number {
    return Object.values(this.#state.nextOffsets()).reduce((sum, offset) => sum + offset, 0)
  }

  /** Nothing is held back, no step is under way, and too little waits for a full batch. */
  get idle(): boolean {
    const { held, texts, batcher } = this.#state
    return (
      held.heldCount === 0 &&
      texts.count === 0 &&
      batcher.count === batcher.waiting &&
      batcher.waiting < this.#options.config.batch.size
    )
  }

  /** Too little waits for a batch, and what waits does not go out by its age either. */
  get #starved(): boolean {
    const { size, maxLatency } = this.#options.config.batch
    return maxLatency === 0 && this.#state.batcher.waiting < size
  }

  /** Events that wait for their step. */
  get waiting(): number {
    return this.#state.texts.count + this.#state.batcher.count
  }

  async run(): Promise<void> {
    const { config, log, telemetry } = this.#options
    let journal: Journal | null = null
    let text: TextProcess | null = null
    const store = new CheckpointStore(config.checkpoint.dir, {
      keep: config.checkpoint.keep,
      publishedSteps: () => publishedSteps(config.adapters.dir),
      onDamaged: (_, error) => telemetry.emit(new Failed(error, false)),
      onCleanupFailed: (error) => telemetry.emit(new Failed(error, false)),
      onStage: (stage) => this.#options.onStage?.(`checkpoint ${stage}`),
    })
    try {
      this.lifecycle$.next('loading')
      const acceptOlder = this.#options.acceptOlder === true
      const inspected = await inspectLine(config, config.model.path, store, acceptOlder)
      if (!(await this.#standBy())) {
        this.lifecycle$.next('stopped')
        return
      }
      const recovered = await recover(config, inspected, store, acceptOlder)
      journal = recovered.journal
      text = await TextProcess.start(config.model.path, {
        timeout: config.limits.tokeniseTimeout,
        text: textOptions(config),
        ended: (error) => telemetry.emit(new TextProcessEnded(error)),
      })
      this.#learner = await this.#loadLearner(recovered)
      const { checkpoint, fence, identities } = recovered
      const failed = (error: unknown) => telemetry.emit(new Failed(error, false))
      this.#state.letters.keepOn(new LetterSegments({ directory: store.directory, fence, failed }))
      if (checkpoint) {
        this.#restore(checkpoint.snapshot, this.#learner.info.maxLength)
        releaseState(checkpoint)
      } else this.#state.letters.restore({ letters: [] })
      this.#line = new TrainingLine({
        ...{ config, adaptersDir: config.adapters.dir, store, journal, log, telemetry, fence, identities },
        ...{ learner: this.#learner, state: this.#state, start: checkpoint },
        embed: eventEmbedding(config, text, {
          counted: (outcome, prompts) => telemetry.emit(new PromptsEmbedded(outcome, prompts)),
          failed: (error) => telemetry.emit(new Failed(error, false)),
        }),
        assertIntact: () => this.#queue.throwIfFailed(),
        stepped: (step) => this.step$.next(step),
        stage: (stage) => this.#options.onStage?.(stage),
      })
      if (!this.#stopping) await this.#work(recovered, text, this.#line)
      this.lifecycle$.next('stopped')
    } catch (error) {
      telemetry.emit(new Failed(error, true))
      this.lifecycle$.next('failed')
      throw error
    } finally {
      text?.close()
      await log.close().catch((error: unknown) => telemetry.emit(new Failed(error, false)))
      await journal?.close()
      await this.#state.letters.close()
      await this.#learner?.close()
      this.lifecycle$.complete()
    }
  }

  /** Stops reading, finishes the step under way, writes a checkpoint, commits, leaves. `run` resolves afterwards. */
  stop(): void {
    if (this.#stopping) return
    this.#end()
    this.#stop$.next()
  }

  /** Trains what waits without waiting for a full batch. */
  flush(): void {
    this.#flush$.next()
  }

  /**
   * While it is paused no step begins; the one under way ends, what is learnt already is still published by the next
   * checkpoint, and votes are read and wait, up to the budget for them. A restart ends it.
   */
  pauseTraining(paused: boolean): void {
    if (paused === this.#trainingPaused$.value) return
    this.#trainingPaused$.next(paused)
    this.#options.telemetry.emit(new TrainingPaused(paused))
  }

  /**
   * Makes everything so far durable now, commits it, and publishes the adapter; resolves with the step that is durable
   * and the version that is live.
   *
   * @throws NOT_RUNNING before partitions were assigned and while it stops, CHECKPOINT_FAILED
   */
  async checkpoint(): Promise<{ readonly step: number; readonly adapter: string | null }> {
    const line = this.#line
    if (line === null || this.#intake.assignment === null || this.#stopping)
      throw new BcodError('NOT_RUNNING', `the daemon is ${this.lifecycle$.value}`)
    return this.#queue
      .enqueue(async () => {
        await line.checkpoint()
        this.#intake.relieve()
        return { step: line.step, adapter: this.#published, durable: line.durable }
      })
      .then(({ durable, ...made }) => {
        if (durable) return made
        throw new BcodError('CHECKPOINT_FAILED', `step ${made.step} is not durable and published`)
      })
  }

  live(): readonly Check[] {
    const busy = this.#learner?.busyMs ?? 0
    const stuck = busy > WORKER_LIMIT_MS
    return [
      { name: 'lifecycle', ok: this.lifecycle$.value !== 'failed', detail: this.lifecycle$.value },
      { name: 'learner', ok: !stuck, detail: `in one call for ${Math.round(busy / 1000)} s` },
    ]
  }

  ready(): readonly Check[] {
    const { assignment } = this.#intake
    const all = assignment !== null && assignment.partitions.length === assignment.total && assignment.total > 0
    return [
      { name: 'model', ok: this.#learner !== null, detail: 'the model is not loaded' },
      {
        name: 'assignment',
        ok: all,
        detail: `${assignment?.partitions.length ?? 0} of ${assignment?.total ?? 'unknown'} partitions`,
      },
      { name: 'running', ok: ['running', 'paused'].includes(this.lifecycle$.value), detail: this.lifecycle$.value },
    ]
  }

  status(): object {
    const { history } = this.#options.telemetry
    const { ok, failing } = verdict(this.ready())
    const { lastStep, step } = this.#line ?? { lastStep: null, step: 0 }
    return {
      state: this.lifecycle$.value,
      ready: ok,
      not_ready: failing,
      step,
      last_step_time: history.lastStepTime,
      delta: lastStep?.delta ?? null,
      loss: lastStep?.loss ?? null,
      reward_up_mean: lastStep?.rewardUpMean ?? null,
      reward_down_mean: lastStep?.rewardDownMean ?? null,
      weight_mean: lastStep?.weightMean ?? null,
      classifier_ready: lastStep?.classifier.ready ?? null,
      classifier_trust: lastStep?.classifier.trust ?? null,
      adapter: this.#published,
      lag: Object.fromEntries(this.#intake.lag()),
      uncommitted: Object.fromEntries(this.#intake.uncommitted()),
      held_back: this.#state.held.heldCount,
      waiting: this.waiting,
      dead_letters: history.deadLetters,
      dead_letters_waiting: this.#state.letters.size,
      paused: this.#intake.paused,
      training_paused: this.#trainingPaused$.value,
      partitions: this.#intake.assignment?.partitions ?? [],
    }
  }

  /** The version that was published last. */
  get #published(): string | null {
    const step = this.#line?.publishedStep ?? null
    return step === null ? null : versionName(step)
  }

  /** Waits while another daemon of the group is at work; false where this one was stopped meanwhile. */
  async #standBy(): Promise<boolean> {
    const { config, log, telemetry } = this.#options
    if (holderHasEnded(config.checkpoint.dir)) return !this.#stopping
    const stopped = new Promise<void>((resolve) => this.#stop$.subscribe(() => resolve()))
    if (!this.#stopping) this.lifecycle$.next('joining')
    while (!this.#stopping) {
      const members = await Promise.race([log.members(), stopped])
      if (members === 0 || members === undefined) break
      if (this.lifecycle$.value !== 'standby') {
        this.lifecycle$.next('standby')
        telemetry.emit(new StandingBy(config.stream.groupId, members))
      }
      await Promise.race([sleep(STANDBY_MS), stopped])
    }
    if (!this.#stopping) this.lifecycle$.next('loading')
    return !this.#stopping
  }

  async #loadLearner({ checkpoint }: Recovered): Promise<RemoteLearner> {
    const { config, telemetry, decoder = null } = this.#options
    const executor = (checkpoint?.snapshot.resolved.executor ?? null) as 'graph' | 'xla' | null
    const threads = Number(checkpoint?.snapshot.resolved.threads ?? config.model.threads)
    const setup = { config: learnerConfig(config, threads), executor, decoder }
    const compiled = (program: string, ms: number) => telemetry.emit(new ProgramCompiled(program, ms))
    const learner = await RemoteLearner.start(setup, { compiled })
    // kept from here on, so that `run` ends the thread also where restoring fails
    this.#learner = learner
    for (const note of [...learner.info.notes, startNote(config)])
      if (note !== null) telemetry.emit(new ModelNoted(note))
    if (checkpoint) {
      const { adapter, trainerState } = checkpoint.snapshot
      const { classifierKept } = await learner.call('restore', { adapter, state: trainerState })
      if (!classifierKept) telemetry.emit(new ClassifierReset())
    }
    return learner
  }

  /**
   * Takes up the stream's state. What waits and may not train by the present settings is dropped: what has become too
   * long for `limits.maxLength`, and what is from a source that `limits.sources` no longer lets through.
   */
  #restore(snapshot: Snapshot, maxLength: number): void {
    const stream = snapshot.pending as StreamSnapshot
    const { held, texts, batcher } = this.#state
    this.#state.restore(stream, snapshot)
    const allows = sourceRule(this.#options.config.limits.sources)
    const refused = ({ source }: { readonly source: string }) => !allows(source)
    held.dropWhere(refused, 'source_refused')
    for (const { position } of texts.dropWhere(refused)) this.#drop(position, 'source_refused')
    const isLong = ({ promptTokens, completionTokens }: TrainingEvent) =>
      promptTokens.length + completionTokens.length > maxLength
    const dropped = stream.batcher.events.filter((event) => refused(event) || isLong(event))
    batcher.remove(dropped)
    for (const event of dropped) this.#drop(event.position, refused(event) ? 'source_refused' : 'completion_too_long')
  }

  /** Reads, trains and writes checkpoints until `stop` is called or something fails. */
  async #work({ checkpoint }: Recovered, text: TextProcess | null, line: TrainingLine): Promise<void> {
    const { config, log, telemetry } = this.#options
    const { maxLength, vocabSize } = this.learner.info
    const intake = this.#intake
    const batch$ = pipeline(intake.record$, {
      ...{ config, state: this.#state, text, vocabSize, maxLength },
      free$: this.#free$.pipe(observeOn(asapScheduler)),
      flush$: this.#flush$,
      paused$: this.#trainingPaused$,
      tick$: merge(intake.fetched$, interval(TICK_MS, asyncScheduler)),
      now: () => this.#clock.now(),
      received: ({ label, position }) =>
        telemetry.emit(new FeedbackReceived(label === null ? 'retract' : label ? 'up' : 'down', position)),
      timeCorrected: (reason) => telemetry.emit(new EventTimeCorrected(reason)),
      framed: () => telemetry.emit(new FrameSkipped()),
      shortened: () => telemetry.emit(new PromptShortened()),
      step: () => line.step,
      reject: (record, error, stage) => this.#reject(record, error, stage),
      drop: (position, reason) => this.#drop(position, reason),
      tokenised: () => intake.relieve(),
      heldOut: ({ position }: Feedback) => {
        this.#state.positions.end(position)
        telemetry.emit(new EventHeldOut(position))
      },
    })
    const train = async (events: readonly TrainingEvent[]) => {
      // paused between the batch and its turn
      if (this.#trainingPaused$.value) this.#state.batcher.putBack()
      else await line.train(events)
      if (line.due) await line.checkpoint()
      intake.relieve()
      if (!this.#stopping) this.#free$.next()
    }
    const timedCheckpoint = async () => {
      if (!this.#stopping) await line.checkpoint()
      intake.relieve()
    }
    const queue = this.#queue
    const work = new Subscription()
    work.add(
      batch$.subscribe({
        next: (events) => void queue.enqueue(() => train(events)),
        error: (error: unknown) => queue.fail(error),
      }),
    )
    work.add(intake.assigned$.subscribe((partitions) => void queue.enqueue(() => line.assigned(partitions))))
    const { every } = config.checkpoint
    if (every > 0) {
      // at most one timed checkpoint is queued, however long a step or a checkpoint takes
      const timed = () => queue.enqueue(timedCheckpoint).catch(() => undefined)
      work.add(interval(every).pipe(exhaustMap(timed)).subscribe())
    }
    work.add(
      interval(TICK_MS).subscribe(() => {
        intake.observe()
        // the disk may have room again, and a dead-letter topic that is away tells nothing
        this.#state.letters.relieve()
        intake.relieve()
        if (intake.paused && this.#starved) this.flush()
      }),
    )
    work.add(
      retentionHeadroom$(log, () => intake.unfinished()).subscribe(({ seconds, retentionSeconds }) =>
        telemetry.emit(new RetentionHeadroom(seconds, retentionSeconds)),
      ),
    )
    const ended = new Promise<void>((resolve, reject) => {
      work.add(this.#stop$.subscribe(() => resolve()))
      this.lifecycle$.next('joining')
      this.#state.letters.start()
      const hooks = {
        positionsFor: (assignment: Assignment) => intake.assigned(assignment, checkpoint?.snapshot ?? null),
        revoked: () => intake.revoked(),
        grown: (total: number) => intake.grown(total),
      }
      work.add(log.read(hooks).subscribe({ next: (records) => intake.take(records), error: reject, complete: resolve }))
      this.#free$.next()
    })
    try {
      await Promise.race([ended, queue.failed])
      this.#end()
      this.lifecycle$.next('draining')
      log.pause()
      queue.enqueue(async () => {
        await this.#state.letters.settle(LETTERS_MS)
        await line.checkpoint()
        // once more if that commit failed
        await line.commit()
      })
      await Promise.race([queue.failed, queue.close(), overdue(DRAIN_MS)])
    } catch (error) {
      queue.fail(error)
      throw error
    } finally {
      work.unsubscribe()
    }
  }

  /** From here on nothing is read and no step is asked for. */
  #end(): void {
    this.#stopping = true
    this.#intake.close()
  }

  #reject(record: LogRecord, error: BcodError, stage: string, range?: OffsetRange): void {
    const { telemetry } = this.#options
    telemetry.emit(new DeadLettered(record, error.code, stage, error.line, range))
    this.#state.letters.push({ record, code: error.code, message: error.line, stage, ...(range && { range }) })
  }

  #drop(position: Position, reason: ConstructorParameters<typeof EventDropped>[0]): void {
    this.#state.positions.end(position)
    this.#options.telemetry.emit(new EventDropped(reason, position))
  }
}

/** The learner's part of the configuration: what a worker gets, and nothing secret. */
function learnerConfig(config: ConfigFor<'run'>, threads: number) {
  const { model, lora, bco, ratio, optimizer, batch, limits, seed, adapters } = config
  const reference = referenceDirectory(model.reference, adapters.dir)
  return { model: { ...model, reference, threads }, lora, bco, ratio, optimizer, batch, limits, seed }
}

async function overdue(limit: number): Promise<never> {
  await sleep(limit, undefined, { ref: false })
  throw new BcodError('STOP_OVERDUE', `not done after ${limit / 1000} s`)
}
