import type { Serializable } from '../events/types.js'

export interface WatermarkState {
  readonly partitions: readonly PartitionTime[]
}

/** What is known of the time of a partition. Times are milliseconds since the epoch. */
interface PartitionTime {
  readonly partition: number
  /** The offset to read next. */
  readonly next: number
  /** Everything that was written before this time has been read; −Infinity (null in a checkpoint): nothing is known. */
  readonly readTo: number | null
  /** At each of these times the log ended at this offset, which has not been read yet. */
  readonly ends: readonly (readonly [offset: number, time: number])[]
}

interface Partition {
  next: number
  readTo: number
  ends: [offset: number, time: number][]
}

/** So many ends of a log are remembered; of more, every second is forgotten. */
const MAX_ENDS = 64

/** Milliseconds for which a log that was read to its end counts as read to it: two looks at where it ends, and a delay. */
const UNSEEN_MS = 5_000

/**
 * The time up to which the log has been read: everything written before it has gone through. It stands on this
 * process's own clock and on where the log ended when, never on a time that a producer has set: once reading has come to
 * where the log ended at some time, all that was written before that time has been read. At the log's end the wall clock
 * itself counts, for as long as a log that is looked at every 2 s may have gone unseen: after that (the process was
 * frozen, no broker answers) nobody knows what was written. The lowest partition decides.
 *
 * After an outage every vote thus waits as long as it would have: how old the backlog is, nobody knows, and no time
 * counts before it is read to where it ended. Where the broker itself stamps the records (`LogAppendTime`), their times
 * move it on within the backlog.
 */
export class Watermark implements Serializable<WatermarkState> {
  private readonly partitions = new Map<number, Partition>()
  private readonly atEnd = new Set<number>()
  private assigned: readonly number[] = []

  /** The partitions that count. What is known of any is kept. */
  assign(partitions: readonly number[]): void {
    this.assigned = [...partitions]
    this.paused()
  }

  /** Everything before this offset has gone through: call it after the records reached hold-back. */
  read(partition: number, next: number): void {
    const at = this.of(partition)
    if (next <= at.next) return
    at.next = next
    while (at.ends[0] !== undefined && at.ends[0][0] <= next) {
      const [, time] = at.ends.shift()!
      at.readTo = Math.max(at.readTo, time)
    }
  }

  /** At `now`, what can be read of the log ended at this offset. */
  ended(partition: number, end: number, now: number): void {
    const at = this.of(partition)
    this.fetched(partition, end <= at.next)
    if (end <= at.next) {
      at.ends = []
      at.readTo = Math.max(at.readTo, now)
      return
    }
    const last = at.ends.at(-1)
    if (last?.[0] === end) last[1] = Math.max(last[1], now)
    else if (last === undefined || end > last[0]) at.ends.push([end, now])
    if (at.ends.length > MAX_ENDS) at.ends = at.ends.filter((_, i) => i % 2 === 1)
  }

  /** A fetch has gone through: `atEnd` tells whether it left nothing unread that can be read. */
  fetched(partition: number, atEnd: boolean): void {
    if (atEnd) this.atEnd.add(partition)
    else this.atEnd.delete(partition)
  }

  /** A record has gone through. Only a time that the broker itself has set tells how far the log has been read. */
  observe(partition: number, timestamp: number, appendTime = false): void {
    if (!appendTime) return
    const at = this.of(partition)
    at.readTo = Math.max(at.readTo, timestamp)
  }

  /**
   * The time that a record counts as written at, whatever its producer's clock says: not after `now`, when it was read,
   * and not before the time up to which the log had been read before it. A record without a time counts as written now.
   * It is decided once, at reading: the state of the stages keeps it.
   */
  timeOf(partition: number, offset: number, timestamp: number, now: number): number {
    this.read(partition, offset)
    if (!(timestamp >= 0)) return now
    return Math.min(now, Math.max(timestamp, this.of(partition).readTo))
  }

  /** Fetching stopped: the log may grow unseen, so that no partition counts as read to its end until it is said again. */
  paused(): void {
    this.atEnd.clear()
  }

  /**
   * @param now wall clock, milliseconds since the epoch
   * @returns milliseconds since the epoch; −Infinity while nothing is known of a partition or none is assigned
   */
  at(now: number): number {
    let lowest = Number.POSITIVE_INFINITY
    for (const partition of this.assigned) {
      const readTo = this.partitions.get(partition)?.readTo ?? UNKNOWN
      lowest = Math.min(lowest, this.atEnd.has(partition) ? readTo + UNSEEN_MS : readTo, now)
    }
    return this.assigned.length === 0 ? UNKNOWN : lowest
  }

  snapshot(): WatermarkState {
    const known = [...this.partitions].map(([partition, { next, readTo, ends }]) => ({
      ...{ partition, next, readTo: readTo === UNKNOWN ? null : readTo },
      ends: ends.map(([offset, time]) => [offset, time] as const),
    }))
    return { partitions: known }
  }

  /**
   * Nothing is assigned, nor read to its end, after this. A state from before there were `partitions` held the times of
   * producers: nothing is known then, and what is held waits until its backlog is read.
   */
  restore({ partitions = [] }: Partial<WatermarkState>): void {
    this.assigned = []
    this.atEnd.clear()
    this.partitions.clear()
    for (const { partition, next, readTo, ends } of partitions)
      this.partitions.set(partition, {
        ...{ next, readTo: readTo ?? UNKNOWN },
        ends: ends.map(([offset, time]) => [offset, time]),
      })
  }

  private of(partition: number): Partition {
    const known = this.partitions.get(partition)
    if (known) return known
    const fresh: Partition = { next: 0, readTo: UNKNOWN, ends: [] }
    this.partitions.set(partition, fresh)
    return fresh
  }
}

const UNKNOWN = Number.NEGATIVE_INFINITY
