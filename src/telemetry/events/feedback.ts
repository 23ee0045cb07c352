import type { BcodError } from '../../errors.js'
import type { DropReason, Position } from '../../events/types.js'
import type { History } from '../history.js'
import type { LogLimit } from '../log-limit.js'
import type { Metrics } from '../metrics.js'
import type { TapLine } from '../tap-line.js'
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
    metrics.feedback.feedbackEvents.inc({ label: this.label })
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'received', label: this.label, ...place(this.position) }]
  }
}

/** JSON stood behind what a schema registry's serialiser puts before it. */
export class FrameSkipped extends InternalEvent {
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.feedback.framedRecords.inc()
  }
}

/** The process of template and tokenizer ended, or was ended because it took too long. The next vote starts another. */
export class TextProcessEnded extends InternalEvent {
  constructor(readonly error: BcodError) {
    super()
  }
  log(): LogLine {
    const { code, message } = this.error
    return { level: 'warn', msg: 'restarting the text process', code, reason: message }
  }
  override count(metrics: Metrics): void {
    metrics.feedback.textRestarts.inc()
  }
}

/** A prompt lost tokens to fit into the length of an event. */
export class PromptShortened extends InternalEvent {
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    metrics.feedback.promptsShortened.inc()
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
    const { reason, position } = this
    const cap = CAPS[reason]
    if (cap === undefined) return { level: 'debug', msg: 'event dropped', reason, ...place(position) }
    return { level: 'warn', msg: `a vote was refused by ${cap}`, reason, ...place(position), remedy: CAP_REMEDY }
  }
  /** A cap is worth a warning: with a default that does not fit it takes most of the votes. */
  override limit(): LogLimit | null {
    return CAPS[this.reason] === undefined ? null : { kind: this.reason, lines: 1, seconds: 3600 }
  }
  override count(metrics: Metrics): void {
    metrics.feedback.feedbackDropped.inc({ reason: this.reason })
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'dropped', reason: this.reason, ...place(this.position) }]
  }
}

const CAPS: Readonly<Partial<Record<DropReason, string>>> = {
  user_cap: 'limits.userShare',
  prompt_cap: 'limits.promptRepeats',
}
const CAP_REMEDY =
  'Look whether it is an attack. Where votes have no data.user, fewer than ten people vote or prompts are few by nature, set it to 0.'

/** Dead letters of one code that are logged per minute; the topic has all of them, and the metric counts them all. */
const LETTER_LINES = 100

/** A record could not be used and was written to the dead-letter topic. The message names the place, never the value. */
export class DeadLettered extends InternalEvent {
  constructor(
    readonly position: Position,
    readonly code: string,
    readonly stage: string,
    readonly message: string,
    /** The offsets that the dead letter covers, from the position on; `records` is the count in the batch header. */
    readonly range?: { readonly lastOffset: number; readonly records: number },
  ) {
    super()
  }
  log(): LogLine {
    const { code, stage, message, range } = this
    return { level: 'warn', msg: 'dead letter', code, stage, reason: message, ...place(this.position), ...range }
  }
  override limit(): LogLimit {
    return { kind: this.code, lines: LETTER_LINES, seconds: 60 }
  }
  override count(metrics: Metrics): void {
    metrics.feedback.deadLetters.inc({ code: this.code })
    if (this.range) metrics.feedback.unreadableRecords.inc({ code: this.code }, this.range.records)
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
    metrics.feedback.heldBack.set(this.events)
  }
}

/** How many held-out votes of each label are kept. */
export class HeldOutKept extends InternalEvent {
  constructor(readonly votes: { readonly up: number; readonly down: number }) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    for (const [label, count] of Object.entries(this.votes)) metrics.feedback.heldOutVotes.set({ label }, count)
  }
}

/** Bytes that wait, by place. */
export class WaitingMeasured extends InternalEvent {
  constructor(readonly bytes: Readonly<Record<string, number>>) {
    super()
  }
  log(): null {
    return null
  }
  override count(metrics: Metrics): void {
    for (const [place, bytes] of Object.entries(this.bytes)) metrics.feedback.waitingBytes.set({ place }, bytes)
  }
}

/** Reading was paused or resumed. */
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
      msg: this.paused ? 'reading paused' : 'reading resumed',
      pendingEvents: events,
      pendingBytes: bytes,
    }
  }
  /** A flood of dead letters can pause and resume reading many times a second. */
  override limit(): LogLimit {
    return { kind: 'reading', lines: 20, seconds: 60 }
  }
  override count(metrics: Metrics): void {
    metrics.feedback.readingPaused.set(this.paused ? 1 : 0)
  }
  override tap(): readonly TapLine[] {
    return [{ kind: 'reading', paused: this.paused, waiting: this.pending.events }]
  }
}

/** The fields of a position, the same in every log line. */
export const place = ({ topic, partition, offset }: Position) => ({ topic, partition, offset })
