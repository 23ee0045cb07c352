import { statfs } from 'node:fs/promises'
import { assertFence } from '../checkpoint/fence.js'
import type { Journal } from '../checkpoint/journal.js'
import type { CheckpointRef, Snapshot } from '../checkpoint/snapshot.js'
import type { CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import { BcodError, isFatal } from '../errors.js'
import type { LearnerSnapshot } from '../learner/protocol.js'
import type { RemoteLearner } from '../learner/remote-learner.js'
import type { FeedbackLog } from '../streams/source.js'
import { Failed } from '../telemetry/events/daemon.js'
import { CheckpointWritten } from '../telemetry/events/storage.js'
import { DeviceObserved } from '../telemetry/events/training.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import { lineageSettings } from '../training/learning-config.js'
import type { AdapterPublisher } from './adapters/adapter-publisher.js'
import type { OffsetCommitter } from './stream/offset-committer.js'
import type { StreamState } from './stream/stream-state.js'

export interface CheckpointerParts {
  readonly config: Config
  readonly store: CheckpointStore
  readonly journal: Journal
  readonly log: Pick<FeedbackLog, 'topic' | 'clusterId'>
  readonly learner: Pick<RemoteLearner, 'call' | 'info'>
  readonly state: StreamState
  readonly committer: OffsetCommitter
  readonly publisher: AdapterPublisher
  readonly telemetry: Telemetry
  readonly fence: number
  readonly identities: Snapshot['identities']
  /** What the process started from. */
  readonly start: { readonly snapshot: Snapshot; readonly ref: CheckpointRef } | null
  /** The last applied step. */
  readonly step: () => number
  /** Called after each checkpoint: whether so many failed in a row that reading on would only add to what is not durable. */
  readonly failing: (isFailing: boolean) => void
  /** Throws if the pipeline has failed: its states no longer hold every record that was read. */
  readonly throwIfFailed: () => void
}

/** After this many failed checkpoints in a row they count as failing. */
const MAX_FAILURES = 3

/**
 * Writes the checkpoints of the lineage; after each, the offsets are committed and the adapter is published.
 * Calls must not overlap, with each other or with a step: the serial queue sees to that.
 */
export class Checkpointer {
  #parent: CheckpointRef | null
  #revision: number
  #step: number
  #positions: string
  #clusterId: string | null
  #failures = 0

  constructor(private readonly parts: CheckpointerParts) {
    const { start, state, committer } = parts
    this.#parent = start?.ref ?? null
    this.#step = start?.snapshot.step ?? 0
    this.#revision = start?.snapshot.revision ?? -1
    this.#clusterId = start?.snapshot.clusterId ?? null
    const committable = state.positions.committable()
    this.#positions = textOf(state.nextOffsets(), committable)
    committer.allow(committable)
  }

  /** Whether `checkpoint.everySteps` asks for a checkpoint now. */
  get due(): boolean {
    const { everySteps } = this.parts.config.checkpoint
    return everySteps > 0 && this.parts.step() - this.#step >= everySteps
  }

  /** Whether the last checkpoint holds every step so far, and the adapter of the last step is in the registry. */
  get durable(): boolean {
    const step = this.parts.step()
    const isPublished = step === 0 || step === this.parts.publisher.step
    return this.#parent !== null && step === this.#step && this.#failures === 0 && isPublished
  }

  /**
   * Makes everything so far durable, then commits the offsets and publishes the adapter. If nothing has changed since
   * the last checkpoint, none is written; a commit or a publication that failed is tried again. A failure is reported,
   * and the next call tries again.
   *
   * @throws fatal errors (`isFatal`); any error of the first checkpoint, without which the lineage cannot be replayed
   */
  async checkpoint(): Promise<void> {
    const { state, learner, committer, publisher } = this.parts
    const step = this.parts.step()
    const committable = state.positions.committable()
    if (step === this.#step && textOf(state.nextOffsets(), committable) === this.#positions) {
      await committer.commit()
      if (step > 0 && step !== publisher.step) await this.#publish(await learner.call('snapshot'))
      return
    }
    // before the first assignment there are no positions to continue from
    if (committable.size === 0) return
    const taken = await this.#write()
    if (taken === null) return
    await committer.commit()
    await this.#publish(taken)
  }

  /**
   * A new lineage gets its checkpoint 0, the initial adapter. In an existing one, offsets are committed and the adapter
   * is published again, in case the last process ended between its checkpoint and that.
   *
   * @throws FENCED if another writer took over while this one was out of the group; what `checkpoint` throws
   */
  async assigned(partitions: readonly number[]): Promise<void> {
    this.parts.committer.assigned(partitions)
    assertFence(this.parts.store.directory, this.parts.fence)
    await this.checkpoint()
  }

  #publish({ adapter, step, delta }: LearnerSnapshot): Promise<void> {
    return this.parts.publisher.publish({ adapter, step, delta, checkpoint: this.#parent?.name ?? null })
  }

  /** Null if it failed. */
  async #write(): Promise<LearnerSnapshot | null> {
    const { telemetry, store } = this.parts
    const started = performance.now()
    let taken: LearnerSnapshot
    try {
      taken = await this.#writeSnapshot()
      this.#count(0)
    } catch (error) {
      if (isFatal(error) || this.#parent === null) throw error
      this.#count(this.#failures + 1)
      telemetry.emit(new Failed(error, false))
      return null
    }
    telemetry.emit(new CheckpointWritten(this.#step, performance.now() - started, await freeBytes(store.directory)))
    return taken
  }

  #count(failures: number): void {
    this.#failures = failures
    this.parts.failing(failures >= MAX_FAILURES)
  }

  async #writeSnapshot(): Promise<LearnerSnapshot> {
    const { telemetry, store, state, journal, learner, log, committer, throwIfFailed } = this.parts
    const step = this.parts.step()
    const taken = await learner.call('snapshot')
    const { tensors, memoryBytes, places } = await learner.call('device')
    telemetry.emit(new DeviceObserved(tensors, memoryBytes, places))
    const mark = await journal.sync()
    const revision = step === this.#step ? this.#revision + 1 : 0
    this.#clusterId ??= await log.clusterId()
    // all of this without an await between: positions, pending events and offsets agree
    throwIfFailed()
    if (taken.step !== step) throw new BcodError('INTERNAL', `a checkpoint of step ${step} got step ${taken.step}`)
    const committable = state.positions.committable()
    const snapshot = this.#snapshot(taken, mark, revision, this.#clusterId)
    await state.deadLetters.sync()
    this.#parent = await store.write(snapshot)
    committer.allow(committable)
    this.#positions = textOf(snapshot.positions, committable)
    this.#revision = revision
    this.#step = step
    return taken
  }

  #snapshot(taken: LearnerSnapshot, journal: Snapshot['journal'], revision: number, clusterId: string): Snapshot {
    const { config, log, state, fence, identities, learner } = this.parts
    return {
      step: taken.step,
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
      extra: lineageSettings(config),
    }
  }
}

/** Equal for equal positions. */
const textOf = (next: Readonly<Record<number, number>>, committable: ReadonlyMap<number, number>): string =>
  JSON.stringify([next, [...committable]])

async function freeBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return bavail * bsize
}
