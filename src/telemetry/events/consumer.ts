import type { TimeCorrection } from '../../events/types.js'
import type { History } from '../history.js'
import type { Metrics } from '../metrics.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

/** The group gave this daemon other partitions, maybe none. */
export class AssignmentChanged extends InternalEvent {
  constructor(
    readonly topic: string,
    readonly partitions: readonly number[],
    readonly total: number,
  ) {
    super()
  }
  log(): LogLine {
    const { topic, partitions, total } = this
    return { level: 'info', msg: 'partitions assigned', topic, partitions, total }
  }
  override count(metrics: Metrics): void {
    metrics.consumer.assignedPartitions.set(this.partitions.length)
    // the lag of a partition that was reassigned is reported by its new owner
    metrics.consumer.consumerLag.reset()
    metrics.consumer.uncommittedRecords.reset()
  }
  override remember(history: History): void {
    history.forgetLag()
  }
}

/** Group offsets were committed. */
export class OffsetsCommitted extends InternalEvent {
  constructor(
    readonly topic: string,
    readonly offsets: ReadonlyMap<number, number>,
  ) {
    super()
  }
  log(): LogLine {
    return { level: 'debug', msg: 'offsets committed', topic: this.topic, offsets: Object.fromEntries(this.offsets) }
  }
  override count(metrics: Metrics): void {
    metrics.consumer.offsetCommits.inc()
  }
}

/** Consumer lag of a partition: records after its lowest unacknowledged one. */
export class LagObserved extends InternalEvent {
  constructor(
    readonly partition: number,
    readonly records: number,
  ) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.consumer.consumerLag.set({ partition: String(this.partition) }, this.records)
  }
  override remember(history: History): void {
    history.lag(this.partition, this.records)
  }
}

/** What no reader can read yet, for a transaction is open before it. */
export class UncommittedObserved extends InternalEvent {
  constructor(
    readonly partitions: readonly number[],
    readonly parts: ReadonlyMap<number, { readonly records: number; readonly seconds: number }>,
  ) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    for (const partition of this.partitions)
      metrics.consumer.uncommittedRecords.set({ partition: String(partition) }, this.parts.get(partition)?.records ?? 0)
    metrics.consumer.uncommittedSeconds.set(Math.max(0, ...[...this.parts.values()].map(({ seconds }) => seconds)))
  }
}

/** The timestamp of a record was corrected. */
export class EventTimeCorrected extends InternalEvent {
  constructor(readonly reason: TimeCorrection) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.feedback.eventTimesCorrected.inc({ reason: this.reason })
  }
}

/** Share of the retention time that should be left. */
const MIN_HEADROOM = 0.2

/** Seconds until the log deletes a record that a restart would still need. */
export class RetentionHeadroom extends InternalEvent {
  constructor(
    readonly seconds: number,
    readonly retentionSeconds: number,
  ) {
    super()
  }
  log(): LogLine | null {
    if (this.seconds > MIN_HEADROOM * this.retentionSeconds) return null
    return { level: 'warn', msg: 'the log is about to delete feedback that is still needed', seconds: this.seconds }
  }
  override count(metrics: Metrics): void {
    metrics.consumer.retentionHeadroom.set(this.seconds)
  }
}
