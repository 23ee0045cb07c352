import type { JsonObject } from '../events/json.js'
import { unreadable } from './format.js'
import type { Rows } from './rows.js'
import { type Finding, type ForeignVote, finding } from './vote.js'

/** What a second pass keeps for the votes of the first. */
export interface Kept<Vote> {
  /** Is shown every record, in order; keeps those that the votes are on. */
  keep(record: JsonObject): void
  /** When a vote was given or changed, in milliseconds since the epoch; null if unknown. */
  timeOf(vote: Vote): number | null
  /** @throws Skipped */
  voteOf(vote: Vote): ForeignVote
}

/**
 * Votes of an export in which they stand apart from what they are on. One pass finds the votes, a second keeps what
 * they are on and nothing else; then both are put together, in the order of time, whatever order the product lists them
 * in.
 *
 * @param voteIn  the vote of a record, null if it is none; @throws Skipped
 * @param about   of all votes
 */
export async function* joined<Vote extends object>(
  rows: Rows,
  voteIn: (record: JsonObject) => Vote | null,
  about: (votes: readonly Vote[]) => Kept<Vote>,
): AsyncGenerator<Finding> {
  const votes: { readonly place: string; readonly vote: Vote }[] = []
  for await (const row of rows()) {
    const { value, place } = row
    if (value === null) yield unreadable(row)
    else {
      const found = finding(place, () => voteIn(value))
      if ('skip' in found) yield found
      else if (found.vote !== null) votes.push({ place, vote: found.vote })
    }
  }
  const kept = about(votes.map(({ vote }) => vote))
  for await (const { value } of rows()) if (value !== null) kept.keep(value)
  const time = (vote: Vote): number => kept.timeOf(vote) ?? 0
  votes.sort((a, b) => time(a.vote) - time(b.vote))
  for (const { place, vote } of votes) yield finding(place, () => kept.voteOf(vote))
}

/** Records by a key, in their order. */
export class Groups {
  readonly #of = new Map<string, JsonObject[]>()

  add(key: string, record: JsonObject): void {
    const group = this.#of.get(key)
    if (group === undefined) this.#of.set(key, [record])
    else group.push(record)
  }

  get(key: string): readonly JsonObject[] {
    return this.#of.get(key) ?? []
  }
}
