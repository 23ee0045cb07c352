import { type MonoTypeOperatorFunction, Observable } from 'rxjs'
import { BcodError } from '../errors.js'
import type { DropReason, Feedback, Serializable } from '../events/types.js'
import { MinHeap } from './collections/min-heap.js'
import type { Drop } from './drop.js'
import { feedbackBytes } from './event-bytes.js'
import { MemoryAccount } from './memory-ledger.js'
import { type VoteLedger, voteKey } from './vote-ledger.js'

export interface HoldBackOptions {
  /** How long a vote may still change before it trains, milliseconds; 0 lets votes through at once. */
  readonly window: number
  /** Memory for held votes; above it the oldest are released early. @default no bound */
  readonly maxBytes?: number
  /** The account that counts their memory. @default an account of its own */
  readonly memory?: MemoryAccount
  /** Keeps an index by subject, for retractions of all users' votes on it. @default false */
  readonly bySubject?: boolean
  readonly ledger: VoteLedger
  readonly drop: Drop
}

export interface HoldBackState {
  /** In the order of their release. */
  readonly held: readonly Feedback[]
}

interface Held {
  readonly key: string
  readonly event: Feedback
  readonly bytes: number
  readonly place: Place
}

/** The place of a vote in the heap. It stays there when the vote is dropped, without keeping the vote in memory. */
interface Place extends Pick<Feedback, 'timestamp' | 'position'> {
  held: Held | null
}

/**
 * Collapses the votes of one user on one completion from one source (docs/adr/006, 018). While a vote is held, a vote
 * with another label replaces it and null retracts it. After its release, the ledger distinguishes a changed vote from a
 * repeated one. A vote without a subject is independent of all others and is never held.
 */
export class HoldBack implements Serializable<HoldBackState> {
  private readonly held = new Map<string, Held>()
  /** The held votes on each subject; null without `bySubject`. */
  private readonly onSubject: Map<string, Set<Held>> | null
  /** Also contains places of votes that are no longer held; they are skipped. */
  private readonly order = new MinHeap<Place>(goesBefore)
  private readonly memory: MemoryAccount
  private early = 0

  constructor(private readonly options: HoldBackOptions) {
    this.onSubject = options.bySubject ? new Map() : null
    this.memory = options.memory ?? new MemoryAccount()
  }

  get heldCount(): number {
    return this.held.size
  }

  /** Estimated memory of the held votes. */
  get heldBytes(): number {
    return this.memory.bytes
  }

  /** Votes released early because of `maxBytes`, since the start of the process. */
  get releasedEarly(): number {
    return this.early
  }

  /** Adds a vote, in log order. Returns it if it is released at once. */
  push(event: Feedback): Feedback | null {
    const { window, ledger, drop } = this.options
    if (event.subject === null) {
      if (event.label !== null) return event
      drop(event, 'retraction')
      return null
    }
    const key = voteKey(event)
    const held = this.held.get(key)
    if (event.label === null) {
      if (event.ofAllUsers) for (const other of [...this.votesOn(event.subject)]) this.dropHeld(other, 'retracted')
      else if (held) this.dropHeld(held, 'retracted')
      drop(event, 'retraction')
      return null
    }
    if (held && held.event.label !== event.label) this.dropHeld(held, 'superseded')
    if (held?.event.label === event.label || ledger.has(event, event.label, key)) {
      drop(event, 'repeat')
      return null
    }
    if (window === 0) {
      ledger.remember(event, event.label, key)
      return event
    }
    this.hold(key, event)
    return null
  }

  /**
   * Removes and returns the next vote that is due, ordered by (timestamp, partition, offset); null if none is.
   * Without a watermark, only votes above `maxBytes` are due.
   */
  next(watermark = Number.NEGATIVE_INFINITY): Feedback | null {
    const { window, maxBytes = Number.POSITIVE_INFINITY, ledger } = this.options
    const first = this.first()
    if (!first) return null
    const due = watermark >= first.event.timestamp + window
    if (!due && this.memory.bytes <= maxBytes) return null
    if (!due) this.early += 1
    this.order.pop()
    this.remove(first)
    ledger.remember(first.event, first.event.label, first.key)
    return first.event
  }

  /** Drops the held votes that `refused` selects. */
  dropWhere(refused: (event: Feedback) => boolean, reason: DropReason): void {
    for (const held of [...this.held.values()]) if (refused(held.event)) this.dropHeld(held, reason)
  }

  snapshot(): HoldBackState {
    const held = [...this.held.values()].sort((a, b) => (goesBefore(a.place, b.place) ? -1 : 1))
    return { held: held.map(({ event }) => event) }
  }

  /** The ledger is restored separately. */
  restore(state: HoldBackState): void {
    for (const held of [...this.held.values()]) this.remove(held)
    this.order.retain(() => false)
    for (const event of state.held) this.hold(voteKey(event), event)
  }

  private hold(key: string, event: Feedback): void {
    const place: Place = { timestamp: event.timestamp, position: event.position, held: null }
    const held: Held = { key, event, place, bytes: feedbackBytes(event) + (this.onSubject ? SUBJECT_BYTES : 0) }
    place.held = held
    this.held.set(key, held)
    this.order.push(place)
    this.memory.add(held.bytes)
    if (this.onSubject === null) return
    const subject = event.subject as string
    const others = this.onSubject.get(subject)
    if (others) others.add(held)
    else this.onSubject.set(subject, new Set([held]))
  }

  private votesOn(subject: string): Iterable<Held> {
    if (this.onSubject === null) throw new BcodError('INTERNAL', 'retractions of all users need the index by subject')
    return this.onSubject.get(subject) ?? []
  }

  private dropHeld(held: Held, reason: DropReason): void {
    this.remove(held)
    if (this.order.size > 2 * this.held.size + 64) this.order.retain((place) => place.held !== null)
    this.options.drop(held.event, reason)
  }

  private remove(held: Held): void {
    this.held.delete(held.key)
    held.place.held = null
    this.memory.remove(held.bytes)
    const others = this.onSubject?.get(held.event.subject as string)
    others?.delete(held)
    if (others?.size === 0) this.onSubject?.delete(held.event.subject as string)
  }

  private first(): Held | undefined {
    let first = this.order.peek()
    while (first && first.held === null) {
      this.order.pop()
      first = this.order.peek()
    }
    return first?.held ?? undefined
  }
}

/** A set for each subject, in the index of `bySubject`. Measured on V8. */
const SUBJECT_BYTES = 320

/**
 * Delays each vote by `window` of event time and emits it unless a later vote has replaced it.
 * The watermark is read on every tick: after each fetch, and by a timer for when no more records arrive. Completion
 * leaves held votes in the state.
 *
 *     const tick$ = merge(fetched$, interval(1_000, scheduler))
 *     feedback$.pipe(holdBack(state, () => watermark.at(scheduler.now()), tick$))
 */
export function holdBack(
  state: HoldBack,
  watermark: () => number,
  tick$: Observable<unknown>,
): MonoTypeOperatorFunction<Feedback> {
  return (source) =>
    new Observable((subscriber) => {
      const release = (mark?: number): void => {
        while (!subscriber.closed) {
          const event = state.next(mark)
          if (!event) return
          subscriber.next(event)
        }
      }
      subscriber.add(
        tick$.subscribe({ next: () => release(watermark()), error: (error: unknown) => subscriber.error(error) }),
      )
      subscriber.add(
        source.subscribe({
          next: (event) => {
            const passed = state.push(event)
            if (passed) subscriber.next(passed)
            else release()
          },
          error: (error: unknown) => subscriber.error(error),
          complete: () => subscriber.complete(),
        }),
      )
    })
}

function goesBefore(a: Place, b: Place): boolean {
  if (a.timestamp !== b.timestamp) return a.timestamp < b.timestamp
  if (a.position.partition !== b.position.partition) return a.position.partition < b.position.partition
  return a.position.offset < b.position.offset
}
