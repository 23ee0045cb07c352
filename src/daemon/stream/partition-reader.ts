import { type BehaviorSubject, Subject } from 'rxjs'
import type { Snapshot } from '../../checkpoint/snapshot.js'
import type { Config } from '../../config/config.js'
import type { LogRecord } from '../../events/types.js'
import { Fifo } from '../../streams/collections/fifo.js'
import { recordBytes } from '../../streams/event-bytes.js'
import type { Assignment, FeedbackLog, RecordBatch, Unreadable } from '../../streams/source.js'
import { AssignmentChanged, LagObserved, UncommittedObserved } from '../../telemetry/events/consumer.js'
import { BackpressureChanged, HeldBack, HeldOutKept, WaitingMeasured } from '../../telemetry/events/feedback.js'
import type { LifecycleState } from '../../telemetry/lifecycle.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import type { PendingOffset } from './retention.js'
import { startPositions } from './start-positions.js'
import type { StreamState } from './stream-state.js'
import { Uncommitted, type UncommittedPart } from './uncommitted.js'

export interface PartitionReaderParts {
  readonly config: Pick<Config, 'stream'>
  readonly log: FeedbackLog
  readonly state: StreamState
  readonly telemetry: Telemetry
  readonly lifecycle$: BehaviorSubject<LifecycleState>
  /** Whether the pipeline has failed: its states take no further record. */
  readonly pipelineFailed: () => boolean
  /** Whether checkpoints fail: reading on would only add to what is not durable. */
  readonly checkpointsFail: () => boolean
  /** Called for each range of offsets that could not be read, to make a dead letter of it. */
  readonly unreadable: (range: Unreadable) => void
  /** Called after each record that went through the pipeline. */
  readonly decoded: () => void
  /** What time it is for held votes, milliseconds since the epoch. @default the wall clock */
  readonly now?: () => number
}

/** A fetch that is being handed to the pipeline. */
interface Fetch {
  readonly batch: RecordBatch
  /** When it came, milliseconds since the epoch. */
  readonly at: number
  /** The first of its records that has not been handed on. */
  next: number
  /** Its size in memory, once it has to wait. */
  bytes: number
}

/** Reads the assigned partitions into the pipeline, reports their lag, and applies backpressure: it pauses while too much waits. */
export class PartitionReader {
  /** Each record, read once. */
  readonly record$ = new Subject<LogRecord>()
  /** After each fetch. */
  readonly fetched$ = new Subject<void>()
  /** The partitions of each assignment, once their positions are known. */
  readonly assigned$ = new Subject<readonly number[]>()
  readonly #parts: PartitionReaderParts
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

  constructor(parts: PartitionReaderParts) {
    this.#parts = parts
  }

  /** What the group has assigned to this process; null between two assignments. */
  get assignment(): Assignment | null {
    return this.#assignment
  }

  /** Reading is paused because too much waits. */
  get paused(): boolean {
    return this.#paused
  }

  /** Reads nothing more. Held votes stay held: only further reading would show whether they have changed. */
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

  /** The topic has new partitions that are not assigned yet: not ready until they are. */
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
    // the positions do not include it: the next owner of the partition fetches it again
    for (const { bytes } of this.#fetched) state.memory.fetched.remove(bytes)
    this.#fetched = new Fifo()
    telemetry.emit(new AssignmentChanged(log.topic, [], 0))
    if (!this.#closed) lifecycle$.next('joining')
  }

  /** Hands a fetch to the pipeline in this call, as far as the budget allows; the rest waits. */
  onBatch(batch: RecordBatch): void {
    if (this.#closed) return
    this.#logEnds.set(batch.partition, batch.logEnd)
    // while reading is paused, an empty fetch adds nothing: the first one after it reports the log's end as well
    if (!this.#paused || batch.records.length > 0 || batch.unreadable) this.#queue(batch)
    this.observe()
    this.updateBackpressure()
  }

  #queue(batch: RecordBatch): void {
    const fetch: Fetch = { batch, at: this.#now(), next: 0, bytes: 0 }
    this.#fetched.push(fetch)
    this.#takeFetched()
    // it is the last one, so it waits if any does
    if (this.#fetched.peek() === undefined) return
    const records = batch.unreadable ? [...batch.records, batch.unreadable.record] : batch.records
    fetch.bytes = records.reduce((bytes, record) => bytes + recordBytes(record), 1)
    this.#parts.state.memory.fetched.add(fetch.bytes)
  }

  /** Hands records on one by one, so that a large fetch exceeds the budget no more than a small one. */
  #takeFetched(): void {
    const { state, pipelineFailed } = this.#parts
    for (let fetch = this.#fetched.peek(); fetch && !this.#paused && !this.#closed; fetch = this.#fetched.peek()) {
      this.#takeRecords(fetch)
      state.releaseRecords()
      if (pipelineFailed()) return
      if (fetch.next < fetch.batch.records.length) continue
      this.#endFetch(fetch)
    }
  }

  #takeRecords(fetch: Fetch): void {
    const { state, pipelineFailed, decoded } = this.#parts
    const { partition, records } = fetch.batch
    while (fetch.next < records.length && !this.#paused && !this.#closed && !pipelineFailed()) {
      const record = records[fetch.next] as LogRecord
      fetch.next += 1
      if (!state.track(record)) continue
      this.record$.next(record)
      decoded()
      state.watermark.observe(partition, record.timestamp, record.appendTime)
      if (this.#full) this.updateBackpressure()
    }
  }

  #endFetch({ batch, at, bytes }: Fetch): void {
    const { state, unreadable } = this.#parts
    const { partition, nextOffset, logEnd, readableEnd = logEnd } = batch
    this.#fetched.shift()
    state.memory.fetched.remove(bytes)
    // its first offset stays open until its dead letter is acknowledged
    if (batch.unreadable && state.positions.track(batch.unreadable.record)) unreadable(batch.unreadable)
    state.positions.advance(partition, nextOffset)
    state.watermark.read(partition, nextOffset)
    this.#ended(partition, readableEnd, logEnd, at)
    this.#unseen()
    this.fetched$.next()
  }

  /** The log may have grown since fetching stopped: only a new fetch reports where it ends. */
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

  /** Reports lag, open transactions, held votes and memory. */
  observe(): void {
    const { state, telemetry } = this.#parts
    for (const [partition, records] of this.lag()) telemetry.emit(new LagObserved(partition, records))
    telemetry.emit(new UncommittedObserved([...this.#logEnds.keys()], this.uncommitted()))
    telemetry.emit(new HeldBack(state.held.heldCount))
    state.heldOut.forget(this.#now())
    telemetry.emit(new HeldOutKept(state.heldOut.counts))
    telemetry.emit(new WaitingMeasured({ ...state.memory.byPlace(), letters_on_disk: state.deadLetters.diskBytes }))
  }

  /** Of each partition with an open transaction: what no reader can read yet. */
  uncommitted(): ReadonlyMap<number, UncommittedPart> {
    return this.#uncommitted.parts(this.#now())
  }

  /** Lag of each partition: its records from the lowest one that is not acknowledged. */
  lag(): ReadonlyMap<number, number> {
    return new Map(this.pending().map(({ partition, offset, logEnd }) => [partition, Math.max(0, logEnd - offset)]))
  }

  /** The lowest offset of each partition that is not acknowledged. */
  pending(): readonly PendingOffset[] {
    const committable = this.#parts.state.positions.committable()
    return [...this.#logEnds].map(([partition, logEnd]) => ({
      ...{ partition, logEnd },
      offset: committable.get(partition) ?? logEnd,
    }))
  }

  /** Pauses reading when what waits reaches its budget, and resumes it when half of that is free again. */
  updateBackpressure(): void {
    const { log, telemetry, state, checkpointsFail, lifecycle$ } = this.#parts
    const over = this.#full || checkpointsFail()
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
    return { events: this.#parts.state.waiting, bytes: this.#parts.state.memory.taken }
  }

  /**
   * What waits has reached the budget; while reading is paused, half of it. That half does not count held votes, which
   * wait for more to be read, held-out votes, which stay, nor dead letters, which wait for their topic: each has its own
   * bound.
   */
  get #full(): boolean {
    const { config, state } = this.#parts
    const { waiting, deadLetters, memory } = state
    const share = this.#paused ? 0.5 : 1
    const apart = memory.held.bytes + memory.heldOut.bytes + memory.letters.bytes
    return (
      memory.taken - apart >= share * (config.stream.pendingBytes - apart) ||
      waiting >= share * config.stream.pendingEvents ||
      deadLetters.full
    )
  }
}
