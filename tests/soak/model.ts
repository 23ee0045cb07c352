import type { LogRecord } from '../../src/events/types.js'

/**
 * What a log of votes trains without hold-back, written down apart from bcod's own stages: each id once; of one user on
 * one completion a label once, until another label or a retraction comes between. In the order of each partition.
 */
export function expectedOf(records: readonly LogRecord[]): { trained: string[]; letters: number } {
  const trained: string[] = []
  const ids = new Set<string>()
  const labels = new Map<string, boolean>()
  let letters = 0
  for (const { value } of records) {
    if (value === null) continue
    const event = JSON.parse(Buffer.from(value).toString()) as {
      id?: string
      subject?: string
      data?: { label: boolean | null; user: string }
    }
    if (event.id === undefined || event.data === undefined) {
      letters += 1
      continue
    }
    if (ids.has(event.id)) continue
    ids.add(event.id)
    const { label, user } = event.data
    const voter = JSON.stringify([event.subject, user])
    if (label === null) labels.delete(voter)
    else if (labels.get(voter) !== label) {
      labels.set(voter, label)
      trained.push(event.id)
    }
  }
  return { trained, letters }
}
