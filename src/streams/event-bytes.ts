import type { Content, Feedback, TrainingEvent } from '../events/types.js'

/** Everything of an event but its prompt and completion: objects, ids, bookkeeping. Measured on V8, rounded up. */
const FIXED_BYTES = 512
/** A token id in a V8 array. */
const TOKEN_BYTES = 8
/** A character of a V8 string, were it not Latin-1. */
const CHARACTER_BYTES = 2

/** Memory that a waiting vote takes, in bytes: an estimate from above, for backpressure. */
export const feedbackBytes = (event: Feedback): number =>
  FIXED_BYTES + contentBytes(event.prompt) + contentBytes(event.completion)

/** Memory that a waiting training event takes, in bytes: an estimate from above, for backpressure. */
export const trainingEventBytes = (event: TrainingEvent): number =>
  FIXED_BYTES + TOKEN_BYTES * (event.promptTokens.length + event.completionTokens.length)

function contentBytes(content: Content): number {
  if (content.kind === 'tokens') return TOKEN_BYTES * content.tokens.length
  if (content.kind === 'text') return CHARACTER_BYTES * content.text.length
  return content.messages.reduce(
    (bytes, { role, content, extra }) =>
      bytes + FIXED_BYTES / 4 + CHARACTER_BYTES * (role.length + (content ?? '').length + (extra ?? '').length),
    CHARACTER_BYTES * (content.extra ?? '').length,
  )
}
