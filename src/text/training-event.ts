import { BcodError } from '../errors.js'
import { outsideVocabulary } from '../events/content.js'
import { invalidFeedback } from '../events/fields.js'
import type { Content, Feedback, TrainingEvent } from '../events/types.js'
import { fitToLength } from './fit.js'
import type { TextModel } from './text-model.js'
import { endedByModel } from './turn-end.js'

export interface TrainingEventOptions {
  /** Null if the model directory has no tokenizer: then only token ids can be used. */
  readonly text: TextModel | null
  /** Longest event, in tokens of prompt and completion together. */
  readonly maxLength: number
  /** Size of the model's embedding; every id must be below it. */
  readonly vocabSize: number
  /** The BOS that a shortened prompt keeps. @default that of `text` */
  readonly bosId?: number | null
}

/**
 * The token ids of a vote, cut to length; null if its completion alone is too long.
 * A vote that has a label; retractions hold nothing to tokenise.
 *
 * @throws TEXT_WITHOUT_TOKENIZER, CHAT_TEMPLATE_MISSING, CHAT_TEMPLATE_FAILED, MESSAGE_NOT_RENDERED,
 *   CONTROL_TOKEN_IN_TEXT, TOKENIZE_FAILED, FEEDBACK_INVALID
 */
export function toTrainingEvent(
  feedback: Feedback & { readonly label: boolean },
  { text, maxLength, vocabSize, bosId = text?.special.bos ?? null }: TrainingEventOptions,
): TrainingEvent | null {
  requireEncodable(feedback, text)
  requireFew(feedback.prompt, 'prompt', MESSAGES_FOR_A_TOKEN * maxLength)
  requireFew(feedback.completion, 'completion', MESSAGES_FOR_A_TOKEN * maxLength)
  const now = feedback.timestamp > 0 ? feedback.timestamp : UNDATED
  const { prompt, completion } = feedback
  const promptTokens = prompt.kind === 'tokens' ? prompt.tokens : text!.encodePrompt(prompt, now, maxLength)
  const completionTokens =
    completion.kind === 'tokens'
      ? completion.tokens
      : text!.encodeCompletion(prompt, completion, now, maxLength, endedByModel(feedback.finishReason))
  checkIds(promptTokens, 'prompt', prompt, vocabSize)
  checkIds(completionTokens, 'completion', completion, vocabSize)
  const fitted = fitToLength(promptTokens, completionTokens, maxLength, bosId)
  if (!fitted) return null
  const { position, timestamp, source, id, subject, user, label, weight, heldOut } = feedback
  const event = {
    position,
    timestamp,
    source,
    id,
    subject,
    user,
    label,
    weight,
    promptTokens: fitted.promptTokens,
    completionTokens,
    ...(heldOut !== undefined && { heldOut }),
  }
  return fitted.promptTokens === promptTokens ? event : { ...event, shortened: true }
}

/**
 * Whether a vote can be tokenised at all with this model, without tokenising it.
 *
 * @throws TEXT_WITHOUT_TOKENIZER, CHAT_TEMPLATE_MISSING
 */
export function requireEncodable(
  { prompt, completion }: Feedback,
  text: { readonly hasTemplate: boolean } | null,
): void {
  if (prompt.kind === 'tokens' && completion.kind === 'tokens') return
  if (!text) throw new BcodError('TEXT_WITHOUT_TOKENIZER', 'text, but the model has no tokenizer')
  if (!text.hasTemplate && (prompt.kind === 'messages' || completion.kind === 'messages'))
    throw new BcodError('CHAT_TEMPLATE_MISSING', 'messages, but the model has no chat template')
}

/** Every template writes some tokens for each message, so that most of so many are cut. */
const MESSAGES_FOR_A_TOKEN = 4

/** Rendering takes its time for each message, and cannot be cut short without changing what the template says. */
function requireFew(content: Content, side: 'prompt' | 'completion', limit: number): void {
  if (content.kind === 'messages' && content.messages.length > limit)
    throw invalidFeedback(`data.${side}`, `expected at most ${limit} messages, got ${content.messages.length}`)
}

/** The date that Llama 3's template falls back on, for events of which no time is known. */
const UNDATED = Date.UTC(2024, 6, 26)

function checkIds(ids: readonly number[], side: 'prompt' | 'completion', content: Content, vocabSize: number): void {
  if (ids.length === 0) throw invalidFeedback(`data.${side}`, 'expected at least one token, got none')
  let outside = 0
  while (outside < ids.length && ids[outside]! < vocabSize) outside += 1
  if (outside === ids.length) return
  const message = outsideVocabulary(vocabSize)
  if (content.kind === 'tokens') throw invalidFeedback(`data.${side}_tokens[${outside}]`, message)
  throw new BcodError('TOKENIZE_FAILED', message, { place: `data.${side}` })
}
