import { BcodError } from '../errors.js'
import type { FeedbackDraft } from '../events/encode.js'

/** A vote that was imported before, without its text. */
export interface KnownVote {
  readonly subject: string
  readonly user: string | null
  /** Of its event. */
  readonly id: string
  readonly label: boolean
  /** When it was given or changed, milliseconds since the epoch; null if unknown. */
  readonly time: number | null
}

type Voter = Pick<KnownVote, 'subject' | 'user'>

/** Below it a few real removals are more than half. */
const FEW = 10

/**
 * The votes of the imports before this one. They tell what is new, and, if an export is complete, which votes were
 * removed: no product exports a removed vote.
 */
export class KnownVotes {
  readonly #votes: Map<string, KnownVote>
  readonly #seen = new Set<string>()
  readonly #before: number

  constructor(votes: readonly KnownVote[]) {
    this.#votes = new Map(votes.map((vote) => [key(vote), vote]))
    this.#before = votes.length
  }

  /** The export has a vote of this voter. */
  saw(voter: Voter): void {
    this.#seen.add(key(voter))
  }

  /** Whether this very state of the vote was imported before. */
  has(voter: Voter, id: string): boolean {
    return this.#votes.get(key(voter))?.id === id
  }

  took(vote: KnownVote): void {
    this.#votes.set(key(vote), vote)
  }

  /**
   * Retractions of the votes that were known and have not been seen. They are forgotten.
   *
   * @throws IMPORT_SHRUNK if that is more than half: an export that is cut short must not take votes back
   */
  removed(source: string): readonly FeedbackDraft[] {
    const gone = [...this.#votes.values()].filter((vote) => !this.#seen.has(key(vote)))
    if (gone.length > FEW && gone.length > this.#before / 2)
      throw new BcodError('IMPORT_SHRUNK', `${gone.length} of ${this.#before} known votes are missing`)
    for (const vote of gone) this.#votes.delete(key(vote))
    return gone.map((vote) => ({ ...retraction(vote), source }))
  }

  /** For the next import. @param since  a vote before it will not be looked at again; null: all will */
  snapshot(since: number | null): readonly KnownVote[] {
    const all = [...this.#votes.values()]
    return since === null ? all : all.filter(({ time }) => time === null || time >= since)
  }
}

const key = ({ subject, user }: Voter): string => JSON.stringify([subject, user])

const NOTHING = { kind: 'text', text: '' } as const

const retraction = ({ id, subject, user }: KnownVote): Omit<FeedbackDraft, 'source'> => ({
  ...{ id: `${id}:removed`, subject, user, label: null, prompt: NOTHING, completion: NOTHING },
})
