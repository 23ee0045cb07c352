import { FEEDBACK_TYPE } from './cloud-event.js'
import type { Content, Feedback, LogRecord, Message } from './types.js'

/** The fields of a vote to publish. A `Feedback` has them too. */
export interface FeedbackDraft {
  readonly source: string
  readonly id: string
  /** RFC 3339. */
  readonly time?: string
  readonly subject?: string | null
  readonly user?: string | null
  readonly label: boolean | null
  readonly prompt: Content
  readonly completion: Content
  readonly adapter?: string | null
  readonly arm?: string
  readonly logprob?: number | null
  readonly weight?: number
  readonly finishReason?: string
  readonly tags?: Readonly<Record<string, unknown>>
}

/** The canonical structured CloudEvent, as UTF-8 JSON. */
export function encodeFeedback(draft: FeedbackDraft): Uint8Array {
  const { source, id, time, subject, user, label, prompt, completion, adapter, arm, logprob, weight, ...rest } = draft
  return Buffer.from(
    JSON.stringify({
      specversion: '1.0',
      type: FEEDBACK_TYPE,
      source,
      id,
      time,
      subject: subject ?? undefined,
      data: {
        ...(label !== null && { ...fields('prompt', prompt), ...fields('completion', completion) }),
        label,
        user: user ?? undefined,
        adapter: adapter ?? undefined,
        arm,
        logprob: logprob ?? undefined,
        weight: weight === 1 ? undefined : weight,
        finish_reason: rest.finishReason,
        tags: rest.tags,
      },
    }),
  )
}

/** The record headers that go with `encodeFeedback`. */
export const STRUCTURED_HEADERS: Readonly<Record<string, Uint8Array>> = {
  'content-type': Buffer.from('application/cloudevents+json; charset=UTF-8'),
}

/**
 * The vote as a record again, at its own position: what a dead letter holds when an event fails after hold-back,
 * where the record it came in is no longer kept. Attributes that bcod does not read (`time`, `tags`) are gone.
 */
export const recordOf = (feedback: Feedback): LogRecord => ({
  ...feedback.position,
  timestamp: feedback.timestamp,
  key: feedback.subject === null ? null : Buffer.from(feedback.subject),
  value: encodeFeedback(feedback),
  headers: STRUCTURED_HEADERS,
})

function fields(side: 'prompt' | 'completion', content: Content): Record<string, unknown> {
  switch (content.kind) {
    case 'text':
      return { [side]: content.text }
    case 'messages':
      return { [side]: content.messages.map(messageFields), ...parsed(content.extra) }
    case 'tokens':
      return { [`${side}_tokens`]: content.tokens }
  }
}

const messageFields = ({ role, content, extra }: Message) => ({ role, content, ...parsed(extra) })

const parsed = (extra: string | undefined): object => (extra === undefined ? {} : (JSON.parse(extra) as object))
