import type { Serializable, TrainingEvent } from '../events/types.js'
import { mostAlike } from './alike.js'
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
  /** Of how many of the oldest events a batch is chosen so that they begin alike; 0: of as many as it takes. */
  readonly lookAhead: number
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
 * Events older than `maxLatency` take precedence over class balance; otherwise each class may fill up to half a batch, so
 * neither can starve the other. Among as many of the oldest as `lookAhead` says, those go together that begin alike: what
 * they share is computed once. The oldest is in every batch, and the oldest of a class in every batch that has one of the
 * class, so each of these events trains after at most `lookAhead − 1` more of such batches.
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
    const batch = this.takeOverdue(now, size)
    const ups = this.upShare(size, batch)
    const downs = size - batch.length - ups
    const [oldestUps, oldestDowns] = [this.nextOf(this.ups, ups), this.nextOf(this.downs, downs)]
    const anchors = [...batch, ...oldestUps.slice(0, 1), ...oldestDowns.slice(0, 1)]
    batch.push(...this.takeAlike(oldestUps, ups, anchors), ...this.takeAlike(oldestDowns, downs, anchors))
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
    this.queueOf(entry.event).push(entry)
  }

  private queueOf({ label }: TrainingEvent): Fifo<Waiting> {
    return label ? this.ups : this.downs
  }

  private oldest(): Fifo<Waiting> | undefined {
    const up = this.ups.peek()
    const down = this.downs.peek()
    if (!up || !down) return up ? this.ups : down ? this.downs : undefined
    return up.order < down.order ? this.ups : this.downs
  }

  /** Takes events that go before the balance of classes. */
  private takeOverdue(now: number, size: number): Waiting[] {
    const { stratify, maxLatency } = this.options
    const wait = stratify ? maxLatency || Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY
    const oldest = [this.ups, this.downs]
      .flatMap((queue) => queue.first(this.window(size)))
      .sort((a, b) => a.order - b.order)
      .slice(0, this.window(size))
    return this.takeAlike(
      oldest.filter(({ arrival }) => arrival + wait <= now),
      size,
      [],
    )
  }

  private takeAlike(oldest: readonly Waiting[], count: number, others: readonly Waiting[]): Waiting[] {
    const events = oldest.map(({ event }) => event)
    const places = mostAlike(
      events,
      count,
      others.map(({ event }) => event),
    )
    const chosen = places.map((place) => oldest[place] as Waiting)
    for (const entry of chosen) this.queueOf(entry.event).remove(entry)
    return chosen
  }

  /** Out of which events of a class `count` are chosen. */
  private nextOf(queue: Fifo<Waiting>, count: number): readonly Waiting[] {
    return count === 0 ? [] : queue.first(this.window(count))
  }

  /** Out of how many of the oldest so many are chosen. */
  private window(count: number): number {
    const { stratify, lookAhead } = this.options
    return stratify ? Math.max(count, lookAhead) : count
  }

  /** How many ups complete the batch so that its classes are as balanced as the waiting events allow. */
  private upShare(size: number, batch: readonly Waiting[]): number {
    const room = size - batch.length
    const half = this.oldest() === this.ups ? Math.ceil(size / 2) : Math.floor(size / 2)
    const wanted = half - batch.filter(({ event }) => event.label).length
    return Math.max(0, room - this.downs.size, Math.min(wanted, this.ups.size, room))
  }
}
