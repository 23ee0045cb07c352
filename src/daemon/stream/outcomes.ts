import type { BcodError } from '../../errors.js'
import type { DropReason, LogRecord, Position, TrainingEvent } from '../../events/types.js'
import type { OffsetRange } from '../../streams/source.js'
import { DeadLettered, EventDropped, EventHeldOut } from '../../telemetry/events/feedback.js'
import type { Telemetry } from '../../telemetry/telemetry.js'
import type { StreamState } from './stream-state.js'

/** Records what becomes of a vote that does not train. */
export class Outcomes {
  constructor(
    private readonly state: () => Pick<StreamState, 'positions' | 'deadLetters'>,
    private readonly telemetry: Telemetry,
  ) {}

  /** It becomes a dead letter; its offset is acknowledged when the letter is. @param range  that the letter stands for */
  reject(record: LogRecord, error: BcodError, stage: string, range?: OffsetRange): void {
    this.telemetry.emit(new DeadLettered(record, error.code, stage, error.line, range))
    this.state().deadLetters.push({ record, code: error.code, message: error.line, stage, ...(range && { range }) })
  }

  drop(position: Position, reason: DropReason): void {
    this.state().positions.ack(position)
    this.telemetry.emit(new EventDropped(reason, position))
  }

  heldOut({ position }: TrainingEvent): void {
    this.state().positions.ack(position)
    this.telemetry.emit(new EventHeldOut(position))
  }
}
