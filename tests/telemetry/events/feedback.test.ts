import { describe, expect, it } from 'vitest'
import {
  BackpressureChanged,
  DeadLettered,
  EventDropped,
  FeedbackReceived,
  FrameSkipped,
  HeldBack,
  HeldOutKept,
  PromptShortened,
} from '../../../src/telemetry/events/feedback.js'
import { capture } from '../capture.js'

const position = { topic: 'votes', partition: 1, offset: 42 }

describe('what happens to feedback', () => {
  it('is counted by label, reason and code', async () => {
    const { telemetry, sample } = capture()
    telemetry.emit(new FeedbackReceived('up', position))
    for (let i = 0; i < 4; i++) telemetry.emit(new FeedbackReceived('down', position))
    telemetry.emit(new FrameSkipped())
    telemetry.emit(new PromptShortened())
    telemetry.emit(new EventDropped('duplicate', position))
    telemetry.emit(new DeadLettered(position, 'FEEDBACK_INVALID', 'validate', 'data.label: expected boolean or null'))
    telemetry.emit(new HeldBack(3))
    telemetry.emit(new HeldBack(2))
    telemetry.emit(new HeldOutKept({ up: 7, down: 5 }))
    telemetry.emit(new BackpressureChanged(true, { events: 10, bytes: 100 }))
    expect(await sample('bcod_feedback_events_total{label="up"}')).toBe(1)
    expect(await sample('bcod_feedback_events_total{label="down"}')).toBe(4)
    expect(await sample('bcod_framed_records_total')).toBe(1)
    expect(await sample('bcod_prompts_shortened_total')).toBe(1)
    expect(await sample('bcod_feedback_dropped_total{reason="duplicate"}')).toBe(1)
    expect(await sample('bcod_dead_letters_total{code="FEEDBACK_INVALID"}')).toBe(1)
    expect(await sample('bcod_held_back_records')).toBe(2)
    expect(await sample('bcod_held_out_votes{label="down"}')).toBe(5)
    expect(await sample('bcod_reading_paused')).toBe(1)
  })

  it('is logged by its position', () => {
    const { telemetry, lines } = capture()
    telemetry.emit(new DeadLettered(position, 'FEEDBACK_INVALID', 'validate', 'data.label: expected boolean or null'))
    expect(lines[0]).toMatchObject({ ...position, level: 'warn', code: 'FEEDBACK_INVALID', stage: 'validate' })
  })

  it('writes no line for each valid vote', () => {
    const { telemetry, lines } = capture()
    telemetry.emit(new FeedbackReceived('up', position))
    expect(lines).toEqual([])
  })
})
