import { statfs } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { pruneVersions, publishAdapter } from '../adapters/publish.js'
import { assertFence } from '../checkpoint/fence.js'
import type { Journal } from '../checkpoint/journal.js'
import { journalLine } from '../checkpoint/journal-line.js'
import type { CheckpointRef, Snapshot } from '../checkpoint/snapshot.js'
import type { CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import type { EventEmbedding } from '../embeddings/event-embedding.js'
import { BcodError, isFatal } from '../errors.js'
import { recordOf } from '../events/encode.js'
import type { TrainingEvent } from '../events/types.js'
import type { LearnerSnapshot } from '../learner/protocol.js'
import type { RemoteLearner } from '../learner/remote-learner.js'
import type { AppliedStep } from '../learner/step.js'
import type { FeedbackLog } from '../streams/source.js'
import { OffsetsCommitted } from '../telemetry/events/consumer.js'
import { Failed } from '../telemetry/events/daemon.js'
import { DeadLettered } from '../telemetry/events/feedback.js'
import { AdapterPublished, CheckpointWritten } from '../telemetry/events/storage.js'
import {
  BlocksLimited,
  DeviceObserved,
  EventQuarantined,
  NonFiniteStep,
  StepApplied,
} from '../telemetry/events/training.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { learningConfig } from './recovery.js'
import { asFeedback, type StreamState } from './stream-state.js'

export interface TrainingLineParts {
  readonly config: Config
  readonly adaptersDir: string
  readonly learner: RemoteLearner
  readonly embed: EventEmbedding
  readonly state: StreamState
  readonly store: CheckpointStore
  readonly journal: Journal
  readonly log: FeedbackLog
  readonly telemetry: Telemetry
  readonly fence: number
  readonly identities: Snapshot['identities']
  /** Throws where the pipeline has failed: its states no longer hold every record that was read. */
  readonly assertIntact: () => void
  /** Called after each applied step. */
  readonly stepped: (step: AppliedStep) => void
  /** Told of each point that is reached. */
  readonly stage: (stage: string) => void
  /** What the process started from. */
  readonly start: { readonly snapshot: Snapshot; readonly ref: CheckpointRef } | null
}

/** After so many failed checkpoints in a row nothing more is read until one succeeds. */
const FAILURES = 3
/** A commit gets this long before the line goes on without it. */
const COMMIT_MS = 3_000

/**
 * The line of checkpoints as it is written: step → journal → checkpoint → commit → publish, one after the other.
 * Its calls must not overlap; the daemon's `concatMap` sees to that.
 */
export class TrainingLine {
  #parent: CheckpointRef | null
  #step: number
  #revision: number
  #checkpointedStep: number
  #publishedStep: number | null = null
  /** When the events were written that trained since the last published version. */
  #unpublished: number[] = []
  /** What the last durable checkpoint lets the group commit. */
  #committable: ReadonlyMap<number, number>
  /** What the present assignment has committed; a new one starts with an empty map of its own. */
  #committed = new Map<number, number>()
  #committing: Promise<void> | null = null
  #clusterId: string | null
  #assigned: ReadonlySet<number> = new Set()
  #failures = 0
  /** Put aside since the last journaled step. */
  #quarantined: TrainingEvent[] = []
  #blockLimit: number | null = null
  #settingsJournaled = false
  #lastPositions: string
  lastStep: AppliedStep | null = null

  constructor(private readonly parts: TrainingLineParts) {
    const { start, state } = parts
    this.#parent = start?.ref ?? null
    this.#step = start?.snapshot.step ?? 0
    this.#revision = start?.snapshot.revision ?? -1
    this.#checkpointedStep = this.#step
    this.#committable = state.positions.committable()
    this.#lastPositions = marks(state.nextOffsets(), this.#committable)
    this.#clusterId = start?.snapshot.clusterId ?? null
  }

  get step(): number {
    return this.#step
  }

  /** The version that was published last by this process. */
  get publishedStep(): number | null {
    return this.#publishedStep
  }

  /** Checkpoints fail: to read on would only make more that is not durable. */
  get failing(): boolean {
    return this.#failures >= FAILURES
  }

  /** One optimizer step over a batch; afterwards each of its events has come to its end. */
  async train(events: readonly TrainingEvent[]): Promise<void> {
    const { learner, state, journal, telemetry, config, stage } = this.parts
    const embedded = await this.parts.embed(events)
    const step = learner.call('trainStep', embedded)
    stage('stepping')
    const { applied, quarantined, refused, blockLimit, durationMs } = await step
    stage('stepped')
    const at = (index: number) => events[index] as TrainingEvent
    if (quarantined.length > 0) telemetry.emit(new NonFiniteStep(this.#step + 1))
    if (blockLimit !== null && blockLimit !== this.#blockLimit) telemetry.emit(new BlocksLimited(blockLimit))
    this.#blockLimit = blockLimit
    const nonFinite = new BcodError('TRAIN_NONFINITE', 'log-probability or gradient is not finite')
    const tooLong = new BcodError('TRAIN_OUT_OF_MEMORY', 'no block that memory allows holds it')
    const putAside = [
      ...quarantined.map((index) => ({ event: at(index), error: nonFinite })),
      ...refused.map((index) => ({ event: at(index), error: tooLong })),
    ]
    for (const { event, error } of putAside) {
      telemetry.emit(new EventQuarantined(event.position, error.code))
      telemetry.emit(new DeadLettered(event.position, error.code, 'train', error.line))
      state.letters.push({ record: recordOf(asFeedback(event)), code: error.code, message: error.line, stage: 'train' })
    }
    this.#quarantined.push(...putAside.map(({ event }) => event))
    state.batcher.done(events)
    if (applied === null) return
    const trained = applied.trained.map(at)
    for (const { position } of trained) state.positions.end(position)
    this.#step = applied.step
    this.lastStep = applied
    this.#unpublished.push(...trained.map(({ timestamp }) => timestamp))
    const now = Date.now()
    const { reference } = config.model
    const { keepEvents } = config.journal
    const settings = this.#settingsJournaled ? undefined : { ...this.#made(), resolved: { ...learner.info.resolved } }
    const options = { quarantined: this.#quarantined, blockLimit, reference, keepEvents, settings }
    journal.append(journalLine(applied, embedded, options))
    this.#quarantined = []
    this.#settingsJournaled = true
    const feedbackToStepSeconds = trained.map(({ timestamp }) => Math.max(0, now - timestamp) / 1000)
    const report = { ...applied, durationMs, feedbackToStepSeconds }
    telemetry.emit(
      new StepApplied(
        report,
        trained.map(({ position }) => position),
      ),
    )
    this.parts.stepped(applied)
    stage('journaled')
  }

  /** Whether `checkpoint.everySteps` asks for a checkpoint now. */
  get due(): boolean {
    const { everySteps } = this.parts.config.checkpoint
    return everySteps > 0 && this.#step - this.#checkpointedStep >= everySteps
  }

  /** Whether the last checkpoint holds every step so far, and the adapter of the last one is published. */
  get durable(): boolean {
    const published = this.#step === 0 || this.#step === this.#publishedStep
    return this.#parent !== null && this.#step === this.#checkpointedStep && this.#failures === 0 && published
  }

  /**
   * Makes everything so far durable, then commits the offsets and publishes the adapter. Where nothing has moved since
   * the last one, nothing is written; a commit or a publication that failed is tried again. A failure is reported, and
   * the next call tries again; being fenced is fatal.
   */
  async checkpoint(): Promise<void> {
    const { telemetry, store, state, journal, learner, log } = this.parts
    const unmoved = marks(state.nextOffsets(), state.positions.committable()) === this.#lastPositions
    if (this.#step === this.#checkpointedStep && unmoved) {
      await this.commit()
      if (this.#step > 0 && this.#step !== this.#publishedStep) await this.#publish(await learner.call('snapshot'))
      return
    }
    // before the first assignment there is nothing to go on from
    if (state.positions.committable().size === 0) return
    const started = performance.now()
    let taken: LearnerSnapshot
    try {
      taken = await learner.call('snapshot')
      const { tensors, memoryBytes } = await learner.call('device')
      telemetry.emit(new DeviceObserved(tensors, memoryBytes))
      const mark = await journal.sync()
      const revision = this.#step === this.#checkpointedStep ? this.#revision + 1 : 0
      this.#clusterId ??= await log.clusterId()
      // all of this in one go, with no await between: positions, pending events and offsets agree
      this.parts.assertIntact()
      if (taken.step !== this.#step)
        throw new BcodError('INTERNAL', `a checkpoint of step ${this.#step} got step ${taken.step}`)
      const durable = state.positions.committable()
      const snapshot = this.#snapshot(taken, mark, revision, this.#clusterId)
      await state.letters.sync()
      this.#parent = await store.write(snapshot)
      this.#committable = durable
      this.#lastPositions = marks(snapshot.positions, durable)
      this.#revision = revision
      this.#checkpointedStep = this.#step
      this.#failures = 0
    } catch (error) {
      // without checkpoint 0 the line could never be followed
      if (isFatal(error) || this.#parent === null) throw error
      this.#failures += 1
      telemetry.emit(new Failed(error, false))
      return
    }
    telemetry.emit(new CheckpointWritten(this.#step, performance.now() - started, await freeBytes(store.directory)))
    await this.commit()
    await this.#publish(taken)
  }

  /**
   * Commits what the last durable checkpoint allows, and waits a while for it: steps go on while a broker hangs.
   * Losing the partitions meanwhile is no error, for the checkpoint holds.
   */
  async commit(): Promise<void> {
    this.#committing ??= this.#commitAll().finally(() => {
      this.#committing = null
    })
    await Promise.race([this.#committing, sleep(COMMIT_MS, undefined, { ref: false })])
  }

  /**
   * The group has given partitions, and what it has committed for them is unknown. A new line gets its checkpoint 0,
   * the initial adapter; of an old one, offsets are committed and the adapter is published again, in case the last
   * process ended between a checkpoint and that.
   */
  async assigned(partitions: readonly number[]): Promise<void> {
    this.#assigned = new Set(partitions)
    this.#committed = new Map()
    // whoever was overtaken while it was out of the group learns it here, not with its next checkpoint
    assertFence(this.parts.store.directory, this.parts.fence)
    await this.checkpoint()
  }

  /** One commit at a time, so that an older one never overtakes; what became durable meanwhile follows at once. */
  async #commitAll(): Promise<void> {
    const { log, telemetry } = this.parts
    for (;;) {
      const committed = this.#committed
      const own = [...this.#committable].filter(([partition]) => this.#assigned.has(partition))
      const offsets = new Map(own.filter(([partition, offset]) => committed.get(partition) !== offset))
      if (offsets.size === 0) return
      try {
        this.parts.stage('committing')
        await log.commit(offsets)
        this.parts.stage('committed')
        // into the map of its own assignment: a commit that ends after a rebalance says nothing of the new one
        for (const [partition, offset] of offsets) committed.set(partition, offset)
        telemetry.emit(new OffsetsCommitted(log.topic, offsets))
      } catch (error) {
        telemetry.emit(new Failed(error, false))
        return
      }
    }
  }

  #snapshot(taken: LearnerSnapshot, journal: Snapshot['journal'], revision: number, clusterId: string): Snapshot {
    const { config, log, state, fence, identities, learner } = this.parts
    return {
      step: this.#step,
      revision,
      fence,
      parent: this.#parent,
      topic: log.topic,
      clusterId,
      positions: state.nextOffsets(),
      topicId: state.topicId,
      lastRecords: state.lastRecords(),
      identities,
      resolved: learner.info.resolved,
      seed: config.seed,
      journal,
      adapter: taken.adapter,
      trainerState: taken.state,
      pending: state.snapshot(),
      extra: this.#made(),
    }
  }

  /** How the line is made: what a replay needs to know. */
  #made() {
    const { config } = this.parts
    return { config: learningConfig(config), modelPath: config.model.path }
  }

  async #publish({ adapter, step, delta }: LearnerSnapshot): Promise<void> {
    const { adaptersDir, telemetry, config, stage } = this.parts
    if (step === 0 || step === this.#publishedStep) return
    try {
      await publishAdapter(adaptersDir, adapter, { step, delta, onStage: stage })
      stage('published')
      const now = Date.now()
      telemetry.emit(
        new AdapterPublished(
          step,
          'published',
          this.#unpublished.map((time) => Math.max(0, now - time) / 1000),
        ),
      )
      this.#publishedStep = step
      this.#unpublished = []
      await pruneVersions(adaptersDir, config.adapters.keep)
    } catch (error) {
      const rejected = error instanceof BcodError && error.code === 'ADAPTER_NONFINITE'
      telemetry.emit(new AdapterPublished(step, rejected ? 'rejected' : 'failed'))
      telemetry.emit(new Failed(error, false))
    }
  }
}

const marks = (next: Readonly<Record<number, number>>, committable: ReadonlyMap<number, number>): string =>
  JSON.stringify([next, [...committable]])

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
