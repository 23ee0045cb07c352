import { DeadLetterCounts, type DeadLetterRow } from './dead-letter-counts.js'
import type { LifecycleState } from './lifecycle.js'
import type { StepReport } from './step-report.js'

/** Width of one point. */
const SLOT_MS = 5_000
const KEPT_MS = 60 * 60_000
const MAX_SLOTS = KEPT_MS / SLOT_MS

/** What happened within one slot of time. Means are computed on request. */
interface Slot {
  /** Number of the slot since 1970. */
  readonly number: number
  state: LifecycleState
  lag: number | null
  up: number
  down: number
  lossSum: number
  delta: number | null
  rewardUpSum: number
  rewardDownSum: number
  weightSum: number
  deadLetters: number
}

/** Points as columns of equal length; null if a slot had nothing to measure. */
export interface HistoryPoints {
  /** Start of the slot, in seconds since 1970. */
  readonly time: readonly number[]
  readonly state: readonly LifecycleState[]
  /** Records over all partitions, as observed last. */
  readonly lag: readonly (number | null)[]
  /** Events that trained. */
  readonly up: readonly number[]
  readonly down: readonly number[]
  /** Mean over the steps, each weighed by its events. */
  readonly loss: readonly (number | null)[]
  /** δ of the last step. */
  readonly delta: readonly (number | null)[]
  /** Means over the events of each class, and their difference. */
  readonly reward_up_mean: readonly (number | null)[]
  readonly reward_down_mean: readonly (number | null)[]
  readonly reward_margin: readonly (number | null)[]
  /** Over the thumbs-down events. */
  readonly weight_mean: readonly (number | null)[]
  readonly dead_letters: readonly number[]
}

/** What `/v1/history` answers. Times are in seconds since 1970. */
export interface HistoryAnswer {
  /** When this process began: another value means another history. */
  readonly started: number
  readonly now: number
  readonly slot_seconds: number
  readonly kept_seconds: number
  readonly points: HistoryPoints
  /** By code, the latest first; counted since the start. */
  readonly dead_letters: readonly DeadLetterRow[]
}

/**
 * The last hour in points of five seconds, so that a page that is opened late has something to show. It is fed by
 * internal events, knows numbers, states and codes, and never holds more than 720 points.
 */
export class History {
  readonly #started: number
  readonly #slots: Slot[] = []
  readonly #letters = new DeadLetterCounts()
  readonly #lag = new Map<number, number>()
  #state: LifecycleState = 'starting'
  #totalLag: number | null = null

  /** @param now  milliseconds since 1970 */
  constructor(private readonly now: () => number = Date.now) {
    this.#started = now()
  }

  /** Dead letters since the start, by code. */
  get deadLetters(): Readonly<Record<string, number>> {
    return this.#letters.counts()
  }

  lifecycle(state: LifecycleState): void {
    this.#state = state
    this.#slot().state = state
  }

  lag(partition: number, records: number): void {
    this.#totalLag = (this.#totalLag ?? 0) - (this.#lag.get(partition) ?? 0) + records
    this.#lag.set(partition, records)
    this.#slot().lag = this.#totalLag
  }

  /** The partitions went elsewhere, and their lag with them. */
  forgetLag(): void {
    this.#lag.clear()
    this.#totalLag = null
  }

  step(report: StepReport): void {
    const slot = this.#slot()
    slot.up += report.up
    slot.down += report.down
    slot.lossSum += report.loss * report.events
    slot.delta = report.delta
    slot.rewardUpSum += sum(report.rewardsUp)
    slot.rewardDownSum += sum(report.rewardsDown)
    slot.weightSum += sum(report.densityRatiosDown)
  }

  deadLetter(code: string, stage: string): void {
    this.#slot().deadLetters += 1
    this.#letters.add(code, stage, seconds(this.now()))
  }

  /** @param since  only points from here on, in seconds since 1970 */
  answer(since = 0): HistoryAnswer {
    const now = this.now()
    const first = Math.max(Math.floor((since * 1000) / SLOT_MS), oldestAt(now))
    return {
      started: seconds(this.#started),
      now: seconds(now),
      slot_seconds: SLOT_MS / 1000,
      kept_seconds: KEPT_MS / 1000,
      points: columns(this.#slots.filter(({ number }) => number >= first)),
      dead_letters: this.#letters.rows(),
    }
  }

  /** The slot of this moment. Those of more than an hour ago make room, and those that a clock set back left ahead. */
  #slot(): Slot {
    const now = this.now()
    const number = Math.floor(now / SLOT_MS)
    while ((this.#slots.at(-1)?.number ?? 0) > number) this.#slots.pop()
    const last = this.#slots.at(-1)
    if (last?.number === number) return last
    const slot = emptySlot(number, this.#state, this.#totalLag)
    this.#slots.push(slot)
    const oldest = oldestAt(now)
    while (this.#slots[0]!.number < oldest) this.#slots.shift()
    return slot
  }
}

const oldestAt = (now: number) => Math.floor(now / SLOT_MS) - MAX_SLOTS + 1

const emptySlot = (number: number, state: LifecycleState, lag: number | null): Slot => ({
  ...{ number, state, lag, up: 0, down: 0, lossSum: 0, delta: null },
  ...{ rewardUpSum: 0, rewardDownSum: 0, weightSum: 0, deadLetters: 0 },
})

function columns(slots: readonly Slot[]): HistoryPoints {
  const up = slots.map((slot) => mean(slot.rewardUpSum, slot.up))
  const down = slots.map((slot) => mean(slot.rewardDownSum, slot.down))
  return {
    time: slots.map(({ number }) => (number * SLOT_MS) / 1000),
    state: slots.map(({ state }) => state),
    lag: slots.map(({ lag }) => lag),
    up: slots.map((slot) => slot.up),
    down: slots.map((slot) => slot.down),
    loss: slots.map((slot) => rounded(mean(slot.lossSum, slot.up + slot.down))),
    delta: slots.map(({ delta }) => rounded(delta)),
    reward_up_mean: up.map(rounded),
    reward_down_mean: down.map(rounded),
    reward_margin: up.map((value, i) => {
      const other = down[i] ?? null
      return value === null || other === null ? null : rounded(value - other)
    }),
    weight_mean: slots.map((slot) => rounded(mean(slot.weightSum, slot.down))),
    dead_letters: slots.map(({ deadLetters }) => deadLetters),
  }
}

const seconds = (milliseconds: number) => Math.round(milliseconds) / 1000
const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)
const mean = (total: number, count: number) => (count === 0 ? null : total / count)
/** Six digits are more than a chart can show, and a third of the bytes. */
const rounded = (value: number | null) => (value === null ? null : Number(value.toPrecision(6)))
