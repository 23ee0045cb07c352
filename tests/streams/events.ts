import type { Content, DropReason, Feedback, TrainingEvent } from '../../src/events/types.js'

/** A vote for tests; offset and id stand for each other. */
export function vote(offset: number, change: Partial<Feedback> & { partition?: number } = {}): Feedback {
  const { partition = 0, ...fields } = change
  return {
    position: { topic: 'feedback', partition, offset },
    timestamp: offset,
    source: 'chat',
    id: `e${partition}-${offset}`,
    subject: `c${offset}`,
    user: 'u',
    label: true,
    prompt: text('prompt'),
    completion: text('completion'),
    adapter: null,
    logprob: null,
    weight: 1,
    ...fields,
  }
}

export const text = (content: string): Content => ({ kind: 'text', text: content })

export function trainingEvent(offset: number, label: boolean): TrainingEvent {
  return {
    position: { topic: 'feedback', partition: 0, offset },
    timestamp: offset,
    source: 'chat',
    id: `e${offset}`,
    subject: null,
    user: null,
    label,
    weight: 1,
    promptTokens: [1, 2],
    completionTokens: [3],
  }
}

/** Notes what is dropped, as `offset reason`. */
export function dropLog(): { drop: (event: Feedback, reason: DropReason) => void; dropped: string[] } {
  const dropped: string[] = []
  return { dropped, drop: (event, reason) => dropped.push(`${event.position.offset} ${reason}`) }
}
