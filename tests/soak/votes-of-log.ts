import type { LogRecord } from '../../src/events/types.js'
import type { Label } from './voter.js'

export interface LoggedVote {
  readonly id: string
  readonly label: Label
  readonly user: string | undefined
}

/** The votes on each answer in the order of the log, each id once: written down apart from bcod's own stages. */
export function votesOfLog(records: readonly LogRecord[]): ReadonlyMap<string, readonly LoggedVote[]> {
  const votes = new Map<string, LoggedVote[]>()
  for (const { value } of records) {
    const { id, subject, data } = JSON.parse(Buffer.from(value!).toString())
    const known = votes.get(subject) ?? []
    votes.set(subject, known)
    if (!known.some((each) => each.id === id)) known.push({ id, label: data.label, user: data.user })
  }
  return votes
}
