/** Why a record of an export gives no event, and what that means. */
export const SKIP_REASONS = {
  not_a_vote: 'no vote in it',
  other_name: 'a vote of another name than --name',
  other_model: 'the answer of another model than --model',
  before_since: 'older than --since',
  not_human: 'not given by a person',
  not_submitted: 'a draft, or cancelled',
  superseded: 'another vote has taken its place',
  no_label: 'neither up nor down',
  tie: 'both answers are as good, or the same',
  answer_missing: 'the answer is not in the export',
  prompt_missing: 'what was asked is not in the export',
  context_missing: 'the model was shown documents that are not in the export',
  not_text: 'images, audio or files',
  tool_steps: 'the answer was made in several steps, with tools between',
  answer_cut: 'the answer was stopped or failed',
  unchanged: 'imported before, according to --state',
  unreadable: 'not JSON, or not a record of this format',
  invalid: 'what events must be like (docs/events.md) refuses it',
} as const

export type SkipReason = keyof typeof SKIP_REASONS

/** One vote as a format reads it: named by the product's own ids, its text not yet checked. */
export interface ForeignVote {
  /** Names this state of the vote: a changed vote has another. Unique within the source. */
  readonly id: string
  /** The answer that was voted on. */
  readonly subject: string
  /** As the product names the voter; null if it does not tell. */
  readonly user: string | null
  readonly label: boolean
  /** Milliseconds since the epoch; null if the product does not tell. */
  readonly time: number | null
  /** A text or messages, as `data.prompt` of an event. */
  readonly prompt: unknown
  /** A text or messages, as `data.completion` of an event. */
  readonly completion: unknown
  readonly tools?: unknown
  /** That wrote the answer; null if the product does not tell. */
  readonly model: string | null
  /** Why the answer ended, as the server said. */
  readonly finishReason?: string
  /** The model was shown documents that the export does not have. */
  readonly contextMissing?: true
}

/** What a format finds in a record: a vote, or why there is none. */
export type Finding<Vote = ForeignVote> =
  | { readonly place: string; readonly vote: Vote }
  | { readonly place: string; readonly skip: SkipReason; readonly detail?: string }

/** Thrown while a record is read: it gives no event. */
export class Skipped {
  /** @param detail  the field and its type; never what is in it */
  constructor(
    readonly reason: SkipReason,
    readonly detail?: string,
  ) {}
}

/** What `read` makes of a record, or why it was skipped. */
export function finding<Vote>(place: string, read: () => Vote): Finding<Vote> {
  try {
    return { place, vote: read() }
  } catch (error) {
    // what nests a hundred thousand levels deep
    if (error instanceof RangeError) return { place, skip: 'unreadable' }
    if (!(error instanceof Skipped)) throw error
    return { place, skip: error.reason, ...(error.detail !== undefined && { detail: error.detail }) }
  }
}
