import { BcodError } from '../errors.js'
import { readContent, readPrompt } from '../events/content.js'
import { encodeFeedback, type FeedbackDraft } from '../events/encode.js'
import { decodeEnvelope } from '../events/envelope.js'
import { toFeedback } from '../events/feedback.js'
import { invalidFeedback } from '../events/fields.js'
import { type ForeignVote, Skipped } from './vote.js'

export interface DraftOptions {
  /** Of the events. */
  readonly source: string
  /** What the event calls the voter; null: nothing. */
  readonly userOf: (user: string) => string | null
  /** Largest event in bytes. */
  readonly maxBytes: number
}

/**
 * The vote as an event, checked by what the daemon reads events with.
 *
 * @param user  what the event calls the voter
 * @throws Skipped with the field and its type
 */
export function toDraft(
  vote: ForeignVote,
  user: string | null,
  { source, maxBytes }: Pick<DraftOptions, 'source' | 'maxBytes'>,
): FeedbackDraft {
  const { id, subject, label, time, prompt, completion, tools, model, finishReason } = vote
  try {
    const draft: FeedbackDraft = {
      ...{ source, id, subject, label },
      ...(time !== null && { time: new Date(time).toISOString() }),
      user,
      prompt: readPrompt({ prompt, tools }, 'data.', null, invalidFeedback),
      completion: readContent({ completion }, 'completion', 'completion_tokens', 'data.', null, invalidFeedback),
      ...(finishReason !== undefined && { finishReason }),
      ...(model !== null && { adapter: servedVersion(model), tags: { model } }),
    }
    toFeedback(decodeEnvelope(encodeFeedback(draft), {}, maxBytes), NOWHERE, { vocabSize: null })
    return draft
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    throw new Skipped(NOT_TEXT.test(error.message) ? 'not_text' : 'invalid', error.line)
  }
}

/** How the check of messages refuses images and other parts. */
const NOT_TEXT = /no other part of a message can be trained/

const NOWHERE = { topic: 'import', partition: 0, offset: 0, timestamp: 0 }

/** The version that wrote the answer, if servers knew it by the name that bcod publishes it under. */
const servedVersion = (model: string): string | null => /(?:^|[-:/])(v\d{8,15})$/.exec(model)?.[1] ?? null
