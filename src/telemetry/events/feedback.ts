import type { DropReason, Position } from '../../events/types.js'
import type { History } from '../history.js'
import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap.js'
import { InternalEvent, type LogLine } from '../telemetry.js'

/** A valid vote was read. */
export class FeedbackReceived extends InternalEvent {
  constructor(
    readonly label: 'up' | 'down' | 'retract',
    readonly position: Position,
  ) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.feedbackEvents.inc({ label: this.label })
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'received', label: this.label, ...place(this.position) }]
  }
}

/** JSON stood behind a schema registry's five bytes. */
export class FrameSkipped extends InternalEvent {
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.framedRecords.inc()
  }
}

/** A vote is kept out of training, for evaluation. */
export class EventHeldOut extends InternalEvent {
  constructor(readonly position: Position) {
    super()
  }
  log(): null {
    return null
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'held_out', ...place(this.position) }]
  }
}

/** A valid vote ends without training. */
export class EventDropped extends InternalEvent {
  constructor(
    readonly reason: DropReason,
    readonly position: Position,
  ) {
    super()
  }
  log(): LogLine {
    return { level: 'debug', msg: 'event dropped', reason: this.reason, ...place(this.position) }
  }
  override count(metrics: Metrics): void {
    metrics.feedbackDropped.inc({ reason: this.reason })
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'dropped', reason: this.reason, ...place(this.position) }]
  }
}

/** A record could not be used and was written to the dead-letter topic. The message says where, never what. */
export class DeadLettered extends InternalEvent {
  constructor(
    readonly position: Position,
    readonly code: string,
    readonly stage: string,
    readonly message: string,
    /** The offsets from the position's on that the letter stands for; how many records there were is what their batch says. */
    readonly range?: { readonly lastOffset: number; readonly records: number },
  ) {
    super()
  }
  log(): LogLine {
    const { code, stage, message, range } = this
    return { level: 'warn', msg: 'dead letter', code, stage, reason: message, ...place(this.position), ...range }
  }
  override count(metrics: Metrics): void {
    metrics.deadLetters.inc({ code: this.code })
    if (this.range) metrics.unreadableRecords.inc({ code: this.code }, this.range.records)
  }
  override remember(history: History): void {
    history.deadLetter(this.code, this.stage)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'dead_letter', code: this.code, stage: this.stage, ...place(this.position) }]
  }
}

/** So many votes wait for a later vote on the same completion. */
export class HeldBack extends InternalEvent {
  constructor(readonly events: number) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.heldBack.set(this.events)
  }
}

/** Reading was paused or goes on. */
export class BackpressureChanged extends InternalEvent {
  constructor(
    readonly paused: boolean,
    readonly pending: { readonly events: number; readonly bytes: number },
  ) {
    super()
  }
  log(): LogLine {
    const { events, bytes } = this.pending
    return {
      level: 'info',
      msg: this.paused ? 'reading paused' : 'reading goes on',
      pendingEvents: events,
      pendingBytes: bytes,
    }
  }
  override count(metrics: Metrics): void {
    metrics.readingPaused.set(this.paused ? 1 : 0)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'reading', paused: this.paused, waiting: this.pending.events }]
  }
}

/** The fields that tell a position in every log line. */
export const place = ({ topic, partition, offset }: Position) => ({ topic, partition, offset })
