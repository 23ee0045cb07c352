import { packRows, readTensor, type SavedTensors, unpackRows } from './tensors.js'

export interface RecentEvent {
  /** [width + 1], the last element 1. */
  readonly row: Float64Array
  readonly label: boolean
  /** The event's own weight a. */
  readonly weight: number
  /** How many events had been counted when its step was. */
  readonly at: number
}

/** The last 32 to 64 events and those of the step at hand, as they are; what is older leaves in blocks. */
export class RecentEvents {
  private events: RecentEvent[] = []

  constructor(private readonly size: number) {}

  get all(): readonly RecentEvent[] {
    return this.events
  }

  add(events: readonly RecentEvent[]): void {
    this.events.push(...events)
  }

  /** Those that are recent no more, oldest first, and not part of `all` from now on. */
  takeOld(): readonly RecentEvent[] {
    return this.events.length > MAX_EVENTS ? this.events.splice(0, this.events.length - MIN_EVENTS) : []
  }

  tensors(): SavedTensors {
    const { events } = this
    return {
      rows: packRows(
        events.map(({ row }) => row),
        this.size,
      ),
      labels: Float64Array.from(events, ({ label }) => (label ? 1 : 0)),
      weights: Float64Array.from(events, ({ weight }) => weight),
      at: Float64Array.from(events, ({ at }) => at),
    }
  }

  restore(tensors: SavedTensors): void {
    const labels = readTensor(tensors, 'labels')
    const weights = readTensor(tensors, 'weights', labels.length)
    const at = readTensor(tensors, 'at', labels.length)
    const rows = unpackRows(readTensor(tensors, 'rows', labels.length * this.size), this.size)
    this.events = Array.from(labels, (label, i) => ({
      row: rows[i]!,
      label: label === 1,
      weight: weights[i]!,
      at: at[i]!,
    }))
  }
}

const MAX_EVENTS = 64
const MIN_EVENTS = 32
