import type { Serializable } from '../events/types.js'

export interface WatermarkState {
  readonly timestamps: readonly (readonly [partition: number, timestamp: number])[]
}

/**
 * The time up to which the log has been seen: the lowest broker timestamp over the assigned partitions, where the wall
 * clock stands in for a partition that is read to its end. After an outage every vote thus waits as long as it would
 * have, because the clock counts for a partition only once its backlog is read.
 */
export class Watermark implements Serializable<WatermarkState> {
  private readonly timestamps = new Map<number, number>()
  private readonly atEnd = new Set<number>()
  private assigned: readonly number[] = []

  /** The partitions that count. What is known of those that stay is kept. */
  assign(partitions: readonly number[]): void {
    this.assigned = [...partitions]
    for (const partition of this.timestamps.keys())
      if (!partitions.includes(partition)) this.timestamps.delete(partition)
    this.paused()
  }

  /** A record has gone through: call it after the record reached hold-back. Clocks that step back are ignored. */
  observe(partition: number, timestamp: number): void {
    const latest = this.timestamps.get(partition)
    if (latest === undefined || timestamp > latest) this.timestamps.set(partition, timestamp)
  }

  /** A fetch has gone through: `atEnd` tells whether it left nothing unread. */
  fetched(partition: number, atEnd: boolean): void {
    if (atEnd) this.atEnd.add(partition)
    else this.atEnd.delete(partition)
  }

  /** Fetching stopped: the log may grow unseen, so that no partition counts as read to its end until a fetch says so. */
  paused(): void {
    this.atEnd.clear()
  }

  /**
   * @param now wall clock, milliseconds since the epoch
   * @returns milliseconds since the epoch; −Infinity while a partition has shown nothing yet or none is assigned
   */
  at(now: number): number {
    let lowest = Number.POSITIVE_INFINITY
    for (const partition of this.assigned) {
      const seen = this.timestamps.get(partition) ?? Number.NEGATIVE_INFINITY
      lowest = Math.min(lowest, this.atEnd.has(partition) ? Math.max(seen, now) : seen)
    }
    return this.assigned.length === 0 ? Number.NEGATIVE_INFINITY : lowest
  }

  snapshot(): WatermarkState {
    return { timestamps: [...this.timestamps] }
  }

  /** Nothing is assigned, nor read to its end, after this. */
  restore(state: WatermarkState): void {
    this.assigned = []
    this.atEnd.clear()
    this.timestamps.clear()
    for (const [partition, timestamp] of state.timestamps) this.timestamps.set(partition, timestamp)
  }
}
