import type { Serializable } from '../events/types.js'

export interface WatermarkState {
  readonly partitions: readonly PartitionTime[]
}

/** Event time of a partition. Times are milliseconds since the epoch. */
interface PartitionTime {
  readonly partition: number
  /** The offset to read next. */
  readonly next: number
  /** Everything written before this time has been read; −Infinity (null in a checkpoint) if unknown. */
  readonly readTo: number | null
  /** Ends of the log that have not been read yet, and when they were observed. */
  readonly ends: readonly (readonly [offset: number, time: number])[]
}

interface Partition {
  next: number
  readTo: number
  ends: [offset: number, time: number][]
}

/** Ends that are remembered for each partition; beyond it every second one is forgotten. */
const MAX_ENDS = 64

/** How long a partition counts as read to its end after the end was last observed: two polls and a delay, in milliseconds. */
const UNSEEN_MS = 5_000

/**
 * The time up to which the log has been read: every record written before it has been processed. It relies on this
 * process's clock and on observed log ends, never on a producer's timestamp: once reading reaches the offset at which
 * the log ended at some time, everything written before that time has been read. At the log's end it is the wall clock,
 * for as long as the end was observed recently; after that (the process was frozen, no broker answers) the log may have
 * grown. The watermark is the lowest of the partitions.
 *
 * After an outage the age of the backlog is unknown, so the watermark does not advance before the backlog is read up to
 * the end observed at the start: every vote is held as long as it would have been. If the broker stamps the records
 * (`LogAppendTime`), their timestamps advance it within the backlog.
 */
export class Watermark implements Serializable<WatermarkState> {
  private readonly partitions = new Map<number, Partition>()
  private readonly atEnd = new Set<number>()
  private assigned: readonly number[] = []

  /** Sets the assigned partitions. The state of others is kept. */
  assign(partitions: readonly number[]): void {
    this.assigned = [...partitions]
    this.paused()
  }

  /** Everything before this offset was processed: call it after the records reached hold-back. */
  read(partition: number, next: number): void {
    const at = this.of(partition)
    if (next <= at.next) return
    at.next = next
    while (at.ends[0] !== undefined && at.ends[0][0] <= next) {
      const [, time] = at.ends.shift()!
      at.readTo = Math.max(at.readTo, time)
    }
  }

  /** At `now` the readable log ended at this offset. */
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

  /** A fetch was processed; `atEnd` if nothing readable is left. */
  fetched(partition: number, atEnd: boolean): void {
    if (atEnd) this.atEnd.add(partition)
    else this.atEnd.delete(partition)
  }

  /** A record was processed. Only timestamps set by the broker advance the watermark. */
  observe(partition: number, timestamp: number, appendTime = false): void {
    if (!appendTime) return
    const at = this.of(partition)
    at.readTo = Math.max(at.readTo, timestamp)
  }

  /**
   * The event time of a record, corrected for its producer's clock: not after `now`, when it was read, and not before
   * the time up to which the log had been read before it. A record without a timestamp counts as written now. It is
   * decided once, at reading, and kept in the state of the stages.
   */
  timeOf(partition: number, offset: number, timestamp: number, now: number): number {
    this.read(partition, offset)
    if (!(timestamp >= 0)) return now
    return Math.min(now, Math.max(timestamp, this.of(partition).readTo))
  }

  /** Fetching stopped: the log may grow unobserved, so no partition counts as read to its end until `ended` is called. */
  paused(): void {
    this.atEnd.clear()
  }

  /**
   * @param now wall clock, milliseconds since the epoch
   * @returns milliseconds since the epoch; −Infinity while a partition is unknown or none is assigned
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
   * Afterwards no partition is assigned or counts as read to its end. A state without `partitions`, of an older version,
   * held producers' timestamps and is ignored: held votes wait until the backlog is read.
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
