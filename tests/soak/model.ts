import type { LogRecord } from '../../src/events/types.js'

/**
 * What a log of votes trains without hold-back and caps, written down apart from bcod's own stages: each id of a source
 * once; of one user of one source on one completion each label once, whatever comes between. In the order of each
 * partition.
 */
export function expectedOf(records: readonly LogRecord[]): { trained: string[]; letters: number } {
  const trained: string[] = []
  const ids = new Set<string>()
  const votes = new Set<string>()
  let letters = 0
  for (const { value } of records) {
    if (value === null) continue
    const event = JSON.parse(Buffer.from(value).toString()) as {
      id?: string
      source?: string
      subject?: string
      data?: { label: boolean | null; user: string }
    }
    if (event.id === undefined || event.data === undefined) {
      letters += 1
      continue
    }
    const id = JSON.stringify([event.source, event.id])
    if (ids.has(id)) continue
    ids.add(id)
    const { label, user } = event.data
    const vote = JSON.stringify([event.source, event.subject, user, label])
    if (label === null || votes.has(vote)) continue
    votes.add(vote)
    trained.push(event.id)
  }
  return { trained, letters }
}
