import { errorOfRecord } from '../events/fields.js'
import type { Content, Feedback, TrainingEvent } from '../events/types.js'
import { type SerializedError, serializeError } from '../serialized-error.js'
import type { TextModel } from './text-model.js'
import { toTrainingEvent } from './training-event.js'

export type LabelledVote = Feedback & { readonly label: boolean }

/** What became of a vote; `event` is null if its completion alone is too long. */
export type Outcome = { readonly event: TrainingEvent | null } | { readonly error: SerializedError }

export interface TokenLimits {
  /** Longest event, in tokens of prompt and completion together. */
  readonly maxLength: number
  /** Size of the model's embedding; every id must be below it. */
  readonly vocabSize: number
}

/** What is known of a model's tokenizer and template without asking them. */
export interface TextDescription {
  readonly hasTemplate: boolean
  /** The names of the model's chat templates, whichever is taken. */
  readonly templateNames: readonly string[]
  readonly bos: number | null
  /** Every id that the model's files call the end of a text. */
  readonly endIds: ReadonlySet<number>
}

type Tokens = readonly number[]

/** What the text process does, one call at a time. */
export interface TextCalls {
  tokenise(votes: readonly LabelledVote[], limits: TokenLimits): readonly Outcome[]
  encodePrompt(prompt: Content, limit?: number): Tokens
  encodeCompletion(prompt: Content, completion: Content, limit?: number): Tokens
  decode(texts: readonly Tokens[], options?: { readonly skipSpecialTokens?: boolean }): readonly string[]
}

export const describeText = ({ hasTemplate, templateNames, special }: TextModel): TextDescription => ({
  hasTemplate,
  templateNames,
  bos: special.bos,
  endIds: special.endIds,
})

export function textCalls(text: TextModel): TextCalls {
  return {
    tokenise: (votes, limits) =>
      votes.map((vote) => {
        try {
          return { event: toTrainingEvent(vote, { ...limits, text }) }
        } catch (error) {
          return { error: serializeError(errorOfRecord(error), 'text') }
        }
      }),
    encodePrompt: (prompt, limit) => text.encodePrompt(prompt, undefined, limit),
    encodeCompletion: (prompt, completion, limit) => text.encodeCompletion(prompt, completion, undefined, limit),
    decode: (texts, options) => texts.map((ids) => text.decode(ids, options)),
  }
}
