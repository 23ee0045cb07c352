import type { Serializable, TrainingEvent } from '../events/types.js'
import { Fifo } from './collections/fifo.js'
import { trainingEventBytes } from './event-bytes.js'
import { MemoryAccount } from './memory-ledger.js'

export interface BatcherOptions {
  /** Events to an optimizer step. */
  readonly size: number
  /** How long an event waits for a full batch, milliseconds; 0 waits forever. */
  readonly maxLatency: number
  /** Balances the classes of a batch as far as the waiting events allow; otherwise batches follow arrival order. */
  readonly stratify: boolean
  /** Where the memory of the events is counted. @default an account of its own */
  readonly memory?: MemoryAccount
}

export interface BatcherState {
  /** Events that were taken and not acknowledged, then those that wait, in order of arrival. */
  readonly events: readonly TrainingEvent[]
  /** When each arrived, milliseconds since the epoch. */
  readonly arrivals: readonly number[]
}

interface Waiting {
  readonly event: TrainingEvent
  readonly arrival: number
  readonly order: number
  readonly bytes: number
}

/**
 * Collects training events into batches. An event that was taken stays in the state until it is acknowledged. Times are
 * wall clock, milliseconds since the epoch.
 *
 * Oldest first within a class. Events older than `maxLatency` take precedence over class balance; otherwise each class
 * may fill up to half a batch, so neither can starve the other.
 */
export class Batcher implements Serializable<BatcherState> {
  private ups = new Fifo<Waiting>()
  private downs = new Fifo<Waiting>()
  private readonly taken = new Map<TrainingEvent, Waiting>()
  private pushed = 0
  private readonly memory: MemoryAccount

  constructor(private readonly options: BatcherOptions) {
    this.memory = options.memory ?? new MemoryAccount()
  }

  /** Events that were not taken yet. */
  get waiting(): number {
    return this.ups.size + this.downs.size
  }

  /** Events not yet acknowledged, taken ones included. */
  get count(): number {
    return this.waiting + this.taken.size
  }

  /** Memory of the events not yet acknowledged. */
  get bytes(): number {
    return this.memory.bytes
  }

  push(event: TrainingEvent, now: number): void {
    const bytes = trainingEventBytes(event)
    this.enqueue({ event, arrival: now, order: this.pushed++, bytes })
    this.memory.add(bytes)
  }

  /** Whether a full batch waits, or a smaller one has waited for `maxLatency`. */
  ready(now: number): boolean {
    return this.waiting >= this.options.size || this.deadline() <= now
  }

  /** When the waiting events are ready even if no more arrive; Infinity for never. */
  deadline(): number {
    const { maxLatency } = this.options
    const oldest = this.oldest()?.peek()
    return oldest && maxLatency > 0 ? oldest.arrival + maxLatency : Number.POSITIVE_INFINITY
  }

  /** The next batch, 1 to `size` events in order of arrival; null if none is ready. */
  take(now: number): TrainingEvent[] | null {
    return this.ready(now) ? this.takeRest(now) : null
  }

  /** As `take`, without waiting for a full batch; null only if no event waits. */
  takeRest(now: number): TrainingEvent[] | null {
    const size = Math.min(this.options.size, this.waiting)
    if (size === 0) return null
    const batch: Waiting[] = []
    while (batch.length < size && this.oldestGoesFirst(now)) batch.push(this.oldest()!.shift()!)
    const ups = this.upShare(size, batch)
    const downs = size - batch.length - ups
    for (let i = 0; i < ups; i++) batch.push(this.ups.shift()!)
    for (let i = 0; i < downs; i++) batch.push(this.downs.shift()!)
    batch.sort((a, b) => a.order - b.order)
    for (const entry of batch) this.taken.set(entry.event, entry)
    return batch.map(({ event }) => event)
  }

  /** Forgets events that were trained or quarantined. */
  acknowledge(events: readonly TrainingEvent[]): void {
    for (const event of events) {
      const entry = this.taken.get(event)
      if (entry) this.memory.remove(entry.bytes)
      this.taken.delete(event)
    }
  }

  /** Returns the taken events to the head of the queue. */
  release(): void {
    this.restore(this.snapshot())
  }

  /** Removes events that will never train. */
  remove(events: readonly TrainingEvent[]): void {
    if (events.length === 0) return
    const gone = new Set(events)
    const { events: all, arrivals } = this.snapshot()
    const kept = all.flatMap((event, i) => (gone.has(event) ? [] : [{ event, arrival: arrivals[i]! }]))
    this.restore({ events: kept.map(({ event }) => event), arrivals: kept.map(({ arrival }) => arrival) })
  }

  snapshot(): BatcherState {
    const waiting = [...this.ups, ...this.downs].sort((a, b) => a.order - b.order)
    const all = [...this.taken.values(), ...waiting]
    return { events: all.map(({ event }) => event), arrivals: all.map(({ arrival }) => arrival) }
  }

  /** Events that were taken when the state was saved wait again, before all others. */
  restore(state: BatcherState): void {
    for (const { bytes } of [...this.taken.values(), ...this.ups, ...this.downs]) this.memory.remove(bytes)
    this.ups = new Fifo()
    this.downs = new Fifo()
    this.taken.clear()
    state.events.forEach((event, i) => {
      this.push(event, state.arrivals[i]!)
    })
  }

  private enqueue(entry: Waiting): void {
    const queue = entry.event.label ? this.ups : this.downs
    queue.push(entry)
  }

  private oldest(): Fifo<Waiting> | undefined {
    const up = this.ups.peek()
    const down = this.downs.peek()
    if (!up || !down) return up ? this.ups : down ? this.downs : undefined
    return up.order < down.order ? this.ups : this.downs
  }

  private oldestGoesFirst(now: number): boolean {
    return !this.options.stratify || this.deadline() <= now
  }

  /** How many ups complete the batch so that its classes are as balanced as the waiting events allow. */
  private upShare(size: number, batch: readonly Waiting[]): number {
    const room = size - batch.length
    const half = this.oldest() === this.ups ? Math.ceil(size / 2) : Math.floor(size / 2)
    const wanted = half - batch.filter(({ event }) => event.label).length
    return Math.max(0, room - this.downs.size, Math.min(wanted, this.ups.size, room))
  }
}
