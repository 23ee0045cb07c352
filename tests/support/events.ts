import type { TrainingEvent } from '../../src/events/types.js'

/** A training event at offset `offset` of partition 0 of a topic; what is not given is plain. */
export function trainingEvent(
  offset: number,
  given: Partial<TrainingEvent> & Pick<TrainingEvent, 'promptTokens' | 'completionTokens'>,
): TrainingEvent {
  return {
    position: { topic: 'feedback', partition: 0, offset },
    timestamp: 0,
    source: 'test',
    id: String(offset),
    subject: null,
    user: null,
    label: true,
    weight: 1,
    ...given,
  }
}
