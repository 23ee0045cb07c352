import { type BehaviorSubject, Subject } from 'rxjs'
import type { Snapshot } from '../checkpoint/snapshot.js'
import type { Config } from '../config/config.js'
import type { LogRecord } from '../events/types.js'
import { Fifo } from '../streams/collections/fifo.js'
import { recordBytes } from '../streams/event-bytes.js'
import type { Assignment, FeedbackLog, RecordBatch, Unreadable } from '../streams/source.js'
import { AssignmentChanged, LagObserved, UncommittedObserved } from '../telemetry/events/consumer.js'
import { BackpressureChanged, HeldBack, WaitingMeasured } from '../telemetry/events/feedback.js'
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

/** A fetch on its way through the stages. */
interface Fetch {
  readonly batch: RecordBatch
  /** When it came, milliseconds since the epoch. */
  readonly at: number
  /** The first of its records that has not gone through. */
  next: number
  /** What it takes in memory, once it has to wait. */
  bytes: number
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
  /** What was fetched and waits because reading is paused. */
  #fetched = new Fifo<Fetch>()
  /** The log fetches nothing: since reading was paused, until what was fetched before has gone through. */
  #stopped = false

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

  /** Takes no further record. What is held stays held: whoever reads on knows whether it still stands. */
  close(): void {
    this.#closed = true
    this.#parts.state.watermark.paused()
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
    this.#unseen()
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
    // not read, as the positions say: whoever gets the partition next fetches it again
    for (const { bytes } of this.#fetched) state.memory.fetched.remove(bytes)
    this.#fetched = new Fifo()
    telemetry.emit(new AssignmentChanged(log.topic, [], 0))
    if (!this.#closed) lifecycle$.next('joining')
  }

  /** Takes a fetch through all stages up to the batch, in this call, or as far as memory lets it. */
  take(batch: RecordBatch): void {
    if (this.#closed) return
    this.#logEnds.set(batch.partition, batch.logEnd)
    // while reading is paused, a look at where the log ends says nothing that the one at its end will not say
    if (!this.#paused || batch.records.length > 0 || batch.unreadable) this.#queue(batch)
    this.observe()
    this.relieve()
  }

  #queue(batch: RecordBatch): void {
    const fetch: Fetch = { batch, at: this.#now(), next: 0, bytes: 0 }
    this.#fetched.push(fetch)
    this.#takeFetched()
    // the last of them: where any waits, it does
    if (this.#fetched.peek() === undefined) return
    const records = batch.unreadable ? [...batch.records, batch.unreadable.record] : batch.records
    fetch.bytes = records.reduce((bytes, record) => bytes + recordBytes(record), 1)
    this.#parts.state.memory.fetched.add(fetch.bytes)
  }

  /** What was fetched goes through record by record, so that a large fetch takes no more than the budget either. */
  #takeFetched(): void {
    const { state, broken } = this.#parts
    for (let fetch = this.#fetched.peek(); fetch && !this.#paused && !this.#closed; fetch = this.#fetched.peek()) {
      this.#takeRecords(fetch)
      state.releaseRecords()
      if (broken()) return
      if (fetch.next < fetch.batch.records.length) continue
      this.#endFetch(fetch)
    }
  }

  #takeRecords(fetch: Fetch): void {
    const { state, broken, decoded } = this.#parts
    const { partition, records } = fetch.batch
    while (fetch.next < records.length && !this.#paused && !this.#closed && !broken()) {
      const record = records[fetch.next] as LogRecord
      fetch.next += 1
      if (!state.track(record)) continue
      this.record$.next(record)
      decoded()
      state.watermark.observe(partition, record.timestamp, record.appendTime)
      if (this.#full) this.relieve()
    }
  }

  #endFetch({ batch, at, bytes }: Fetch): void {
    const { state, unreadable } = this.#parts
    const { partition, nextOffset, logEnd, readableEnd = logEnd } = batch
    this.#fetched.shift()
    state.memory.fetched.remove(bytes)
    // open from its first offset on until its letter is acknowledged
    if (batch.unreadable && state.positions.track(batch.unreadable.record)) unreadable(batch.unreadable)
    state.positions.advance(partition, nextOffset)
    state.watermark.read(partition, nextOffset)
    this.#ended(partition, readableEnd, logEnd, at)
    this.#unseen()
    this.fetched$.next()
  }

  /** The log may have grown since it was stopped: only a new fetch tells where it ends. */
  #unseen(): void {
    if (this.#stopped || this.#closed) this.#parts.state.watermark.paused()
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
    telemetry.emit(new WaitingMeasured({ ...state.memory.byPlace(), letters_on_disk: state.letters.diskBytes }))
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
    const { log, telemetry, state, failing, lifecycle$ } = this.#parts
    const over = this.#full || failing()
    if (this.#closed) return
    if (over !== this.#paused) {
      this.#paused = over
      if (over && !this.#stopped) {
        this.#stopped = true
        state.watermark.paused()
        log.pause()
      }
      telemetry.emit(new BackpressureChanged(over, this.#waiting))
      if (lifecycle$.value === (over ? 'running' : 'paused')) lifecycle$.next(over ? 'paused' : 'running')
      if (!over) this.#takeFetched()
    }
    if (this.#paused || !this.#stopped) return
    this.#stopped = false
    log.resume()
  }

  get #waiting(): { readonly events: number; readonly bytes: number } {
    const { texts, batcher, memory } = this.#parts.state
    return { events: texts.count + batcher.count, bytes: memory.taken }
  }

  /**
   * What waits has reached the budget. While reading is paused, half of it is enough, of what drains without reading:
   * held votes wait for more to be read, letters for their topic, and each has a bound of its own.
   */
  get #full(): boolean {
    const { config, state } = this.#parts
    const { texts, batcher, letters, memory } = state
    const share = this.#paused ? 0.5 : 1
    const apart = memory.held.bytes + memory.letters.bytes
    return (
      memory.taken - apart >= share * (config.stream.pendingBytes - apart) ||
      texts.count + batcher.count >= share * config.stream.pendingEvents ||
      letters.full
    )
  }
}
