import type { FeedbackDraft } from '../events/encode.js'
import { type DraftOptions, toDraft } from './draft.js'
import type { KnownVotes } from './known-votes.js'
import type { ReportBuilder } from './report.js'
import { type Finding, type ForeignVote, Skipped } from './vote.js'

export interface ChoiceOptions extends DraftOptions {
  /** Votes before it are skipped, in milliseconds since the epoch. */
  readonly since?: number
  /** Only the answers of these models. */
  readonly models?: readonly string[]
  /** Take also votes on answers for which the model was shown documents. */
  readonly withoutContext?: boolean
  /** Only what is not in here. It is told of what is taken. */
  readonly known?: KnownVotes
  /** The findings are all votes that there are: what is known and not among them was removed. */
  readonly complete?: boolean
}

/**
 * The events of what a format found, in its order, and retractions of removed votes after them; `report` is told of each
 * event, and of what gives none.
 *
 * @throws IMPORT_SHRUNK, and what `findings` throws
 */
export async function* eventsOf(
  findings: AsyncIterable<Finding>,
  options: ChoiceOptions,
  report: ReportBuilder,
): AsyncGenerator<FeedbackDraft> {
  for await (const found of findings) {
    const draft = 'skip' in found ? skipped(found, report) : chosen(found.vote, found.place, options, report)
    if (draft === null) continue
    report.took(draft)
    yield draft
  }
  if (!options.complete || options.known === undefined) return
  for (const retraction of options.known.removed(options.source)) {
    report.took(retraction)
    yield retraction
  }
}

function skipped({ place, skip, detail }: Extract<Finding, { skip: unknown }>, report: ReportBuilder): null {
  report.skipped(place, skip, detail)
  return null
}

function chosen(vote: ForeignVote, place: string, options: ChoiceOptions, report: ReportBuilder): FeedbackDraft | null {
  const { since, models, withoutContext = false, known } = options
  const { id, subject, label, time } = vote
  const user = vote.user === null ? null : options.userOf(vote.user)
  known?.saw({ subject, user })
  try {
    if (since !== undefined && time !== null && time < since) throw new Skipped('before_since')
    if (models !== undefined && !(vote.model !== null && models.includes(vote.model))) throw new Skipped('other_model')
    if (vote.contextMissing && !withoutContext) throw new Skipped('context_missing')
    if (known?.has({ subject, user }, id)) throw new Skipped('unchanged')
    const draft = toDraft(vote, user, options)
    known?.took({ subject, user, id, label, time })
    return draft
  } catch (error) {
    if (!(error instanceof Skipped)) throw error
    report.skipped(place, error.reason, error.detail)
    return null
  }
}
