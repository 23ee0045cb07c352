import type { FeedbackDraft } from '../events/encode.js'
import { type DraftOptions, toDraft } from './draft.js'
import type { ReportBuilder } from './report.js'
import { type Finding, type ForeignVote, Skipped } from './vote.js'

export interface ChoiceOptions extends DraftOptions {
  /** Votes before it are skipped, in milliseconds since the epoch. */
  readonly since?: number
  /** Only the answers of these models. */
  readonly models?: readonly string[]
  /** Take also votes on answers for which the model was shown documents. */
  readonly withoutContext?: boolean
}

/** The events of what a format found, in its order; `report` is told of each, and of what gives none. */
export async function* eventsOf(
  findings: AsyncIterable<Finding>,
  options: ChoiceOptions,
  report: ReportBuilder,
): AsyncGenerator<FeedbackDraft> {
  for await (const found of findings) {
    if ('skip' in found) {
      report.skipped(found.place, found.skip, found.detail)
      continue
    }
    const draft = chosen(found.vote, found.place, options, report)
    if (draft === null) continue
    report.took(draft)
    yield draft
  }
}

function chosen(vote: ForeignVote, place: string, options: ChoiceOptions, report: ReportBuilder): FeedbackDraft | null {
  try {
    const { since, models, withoutContext = false } = options
    if (since !== undefined && vote.time !== null && vote.time < since) throw new Skipped('before_since')
    if (models !== undefined && !(vote.model !== null && models.includes(vote.model))) throw new Skipped('other_model')
    if (vote.contextMissing && !withoutContext) throw new Skipped('context_missing')
    return toDraft(vote, options)
  } catch (error) {
    if (!(error instanceof Skipped)) throw error
    report.skipped(place, error.reason, error.detail)
    return null
  }
}
