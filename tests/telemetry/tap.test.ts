import { expect, it } from 'vitest'
import { LifecycleChanged } from '../../src/telemetry/events/daemon.js'
import { DeadLettered, EventDropped, EventHeldOut, FeedbackReceived } from '../../src/telemetry/events/feedback.js'
import { AdapterPublished, CheckpointWritten } from '../../src/telemetry/events/storage.js'
import type { TapLine } from '../../src/telemetry/tap-line.js'
import { capture } from './capture.js'

const position = { topic: 'votes', partition: 1, offset: 42 }

it('a watcher sees what becomes of each vote, by its position', () => {
  const { telemetry } = capture('silent')
  const events = [
    new FeedbackReceived('up', position),
    new EventDropped('duplicate', position),
    new EventHeldOut(position),
    new DeadLettered(position, 'FEEDBACK_INVALID', 'validate', 'data.label: expected boolean or null'),
    new CheckpointWritten(3, 12.4, 1e9),
    new AdapterPublished(3, 'published'),
    new LifecycleChanged('running'),
  ]
  const seen: TapLine[] = []
  telemetry.emit(events[0]!)
  const watching = telemetry.tap.line$.subscribe((line) => seen.push(line))
  for (const event of events) telemetry.emit(event)
  watching.unsubscribe()
  telemetry.emit(events[0]!)
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
  expect(seen).toEqual(
    [
      { kind: 'received', label: 'up', ...position },
      { kind: 'dropped', reason: 'duplicate', ...position },
      { kind: 'held_out', ...position },
      { kind: 'dead_letter', code: 'FEEDBACK_INVALID', stage: 'validate', ...position },
      { kind: 'checkpoint', step: 3, ms: 12 },
      { kind: 'published', version: 3, outcome: 'published' },
      { kind: 'state', state: 'running' },
    ].map((line) => ({ time, ...line })),
  )
})

it('nothing is asked of an event while nobody watches', () => {
  const { telemetry } = capture('silent')
  const event = new FeedbackReceived('up', position)
  event.tap = () => {
    throw new Error('it was asked')
  }
  telemetry.emit(event)
  expect(telemetry.tap.watched).toBe(false)
})
