import { type BehaviorSubject, Subject } from 'rxjs'
import type { Snapshot } from '../checkpoint/snapshot.js'
import type { Config } from '../config/config.js'
import type { LogRecord } from '../events/types.js'
import type { Assignment, FeedbackLog, RecordBatch, Unreadable } from '../streams/source.js'
import { AssignmentChanged, LagObserved, UncommittedObserved } from '../telemetry/events/consumer.js'
import { BackpressureChanged, HeldBack } from '../telemetry/events/feedback.js'
import type { LifecycleState } from '../telemetry/lifecycle.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import type { Unfinished } from './retention.js'
import { startPositions } from './start-positions.js'
import type { StreamState } from './stream-state.js'
import { Uncommitted, type UncommittedPart } from './uncommitted.js'

export interface IntakeParts {
  readonly config: Pick<Config, 'stream'>
  readonly log: FeedbackLog
  readonly state: StreamState
  readonly telemetry: Telemetry
  readonly lifecycle$: BehaviorSubject<LifecycleState>
  /** Whether the pipeline has failed: its states take no further record. */
  readonly broken: () => boolean
  /** Whether checkpoints fail: to read on would only make more that is not durable. */
  readonly failing: () => boolean
  /** Called for each range of offsets that could not be read; it ends them. */
  readonly unreadable: (range: Unreadable) => void
  /** Called after each record that went through the pipeline. */
  readonly decoded: () => void
  /** What time it is for held votes, milliseconds since the epoch. @default the wall clock */
  readonly now?: () => number
}

/** Reads the assigned partitions into the pipeline, tells how far behind they are, and pauses while too much waits. */
export class Intake {
  /** Each record, read once. */
  readonly record$ = new Subject<LogRecord>()
  /** After each fetch. */
  readonly fetched$ = new Subject<void>()
  /** The partitions of each assignment, once their positions are known. */
  readonly assigned$ = new Subject<readonly number[]>()
  readonly #parts: IntakeParts
  readonly #logEnds = new Map<number, number>()
  readonly #uncommitted = new Uncommitted()
  #assignment: Assignment | null = null
  #firstTotal: number | null = null
  /** Counts assignments and their ends. */
  #epoch = 0
  #paused = false
  #closed = false

  constructor(parts: IntakeParts) {
    this.#parts = parts
  }

  /** What the group has given to this process; null between two assignments. */
  get assignment(): Assignment | null {
    return this.#assignment
  }

  /** Reading stands still because too much waits. */
  get paused(): boolean {
    return this.#paused
  }

  /** Takes no further record. */
  close(): void {
    this.#closed = true
  }

  /** Where to read a new assignment from. @throws what `startPositions` throws */
  async assigned(assignment: Assignment, checkpoint: Snapshot | null): Promise<ReadonlyMap<number, number>> {
    const { log, config, state, telemetry, lifecycle$ } = this.#parts
    const epoch = ++this.#epoch
    this.#firstTotal ??= assignment.total
    const options = { ...config.stream, firstTotal: this.#firstTotal }
    const positions = await startPositions(log, assignment, state, checkpoint, options)
    if (epoch !== this.#epoch || this.#closed) return positions
    state.watermark.assign(assignment.partitions)
    for (const [partition, offset] of positions) {
      const end = assignment.bounds.get(partition)?.end ?? 0
      state.positions.advance(partition, offset)
      state.watermark.read(partition, offset)
      this.#ended(partition, end, assignment.logEnds?.get(partition) ?? end, this.#now())
    }
    this.#assignment = assignment
    telemetry.emit(new AssignmentChanged(log.topic, assignment.partitions, assignment.total))
    if (assignment.partitions.length > 0) this.assigned$.next(assignment.partitions)
    lifecycle$.next(this.#paused ? 'paused' : 'running')
    return positions
  }

  /** The topic has got partitions that are not assigned yet: not ready until they are. */
  grown(total: number): void {
    if (this.#assignment === null || total <= this.#assignment.total) return
    this.#assignment = { ...this.#assignment, total }
    this.#parts.telemetry.emit(new AssignmentChanged(this.#parts.log.topic, this.#assignment.partitions, total))
  }

  revoked(): void {
    const { log, state, telemetry, lifecycle$ } = this.#parts
    this.#epoch += 1
    this.#assignment = null
    state.watermark.assign([])
    this.#logEnds.clear()
    this.#uncommitted.clear()
    telemetry.emit(new AssignmentChanged(log.topic, [], 0))
    if (!this.#closed) lifecycle$.next('joining')
  }

  /** Takes a fetch through all stages up to the batch, in this call. */
  take({ partition, records, nextOffset, logEnd, readableEnd = logEnd, unreadable }: RecordBatch): void {
    if (this.#closed) return
    const { state, broken, decoded } = this.#parts
    const now = this.#now()
    for (const record of records) {
      if (broken()) return
      if (!state.begin(record)) continue
      this.record$.next(record)
      decoded()
      state.watermark.observe(partition, record.timestamp, record.appendTime)
    }
    // open from its first offset on until its letter is acknowledged
    if (unreadable && state.positions.begin(unreadable.record)) this.#parts.unreadable(unreadable)
    state.positions.advance(partition, nextOffset)
    state.watermark.read(partition, nextOffset)
    this.#ended(partition, readableEnd, logEnd, now)
    if (this.#paused) state.watermark.paused()
    this.fetched$.next()
    this.observe()
    this.relieve()
  }

  #now(): number {
    return (this.#parts.now ?? Date.now)()
  }

  #ended(partition: number, readableEnd: number, logEnd: number, now: number): void {
    this.#parts.state.watermark.ended(partition, readableEnd, now)
    this.#uncommitted.observe(partition, readableEnd, logEnd, now)
    this.#logEnds.set(partition, logEnd)
  }

  /** Tells how far behind each partition is. */
  observe(): void {
    const { state, telemetry } = this.#parts
    for (const [partition, records] of this.lag()) telemetry.emit(new LagObserved(partition, records))
    telemetry.emit(new UncommittedObserved([...this.#logEnds.keys()], this.uncommitted()))
    telemetry.emit(new HeldBack(state.held.heldCount))
  }

  /** What no reader can read yet, of each partition that has any. */
  uncommitted(): ReadonlyMap<number, UncommittedPart> {
    return this.#uncommitted.parts(this.#now())
  }

  /** Records of each partition after the lowest one that has not come to its end. */
  lag(): ReadonlyMap<number, number> {
    return new Map(this.unfinished().map(({ partition, offset, logEnd }) => [partition, Math.max(0, logEnd - offset)]))
  }

  /** The lowest record of each partition that has not come to its end. */
  unfinished(): readonly Unfinished[] {
    const committable = this.#parts.state.positions.committable()
    return [...this.#logEnds].map(([partition, logEnd]) => ({
      ...{ partition, logEnd },
      offset: committable.get(partition) ?? logEnd,
    }))
  }

  /** Pauses reading at the budget for what waits, and resumes it when half of that is free again. */
  relieve(): void {
    const { log, telemetry, config, state, failing, lifecycle$ } = this.#parts
    const { batcher, letters, texts, watermark, memory } = state
    const { pendingBytes, pendingEvents } = config.stream
    const share = this.#paused ? 0.5 : 1
    const waiting = { events: texts.count + batcher.count, bytes: memory.taken }
    const full = waiting.bytes >= share * pendingBytes || waiting.events >= share * pendingEvents || letters.full
    const over = full || failing()
    if (over === this.#paused || this.#closed) return
    this.#paused = over
    if (over) {
      watermark.paused()
      log.pause()
    } else log.resume()
    telemetry.emit(new BackpressureChanged(over, waiting))
    if (lifecycle$.value === (over ? 'running' : 'paused')) lifecycle$.next(over ? 'paused' : 'running')
  }
}
