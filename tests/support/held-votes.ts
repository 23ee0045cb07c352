import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import type { LogRecord } from '../../src/events/types.js'
import { DedupWindow } from '../../src/streams/dedup.js'
import { HoldBack } from '../../src/streams/hold-back.js'
import { VoteLedger } from '../../src/streams/vote-ledger.js'

const MANY = 1_000_000
const HOUR = 3_600_000

/** The vote on each answer that comes through the daemon's dedup and hold-back, of records in the order of their log. */
export function heldVotes(records: readonly LogRecord[]): ReadonlyMap<string | null, boolean | null> {
  const window = new DedupWindow(MANY)
  const held = new HoldBack({ window: HOUR, ledger: new VoteLedger(MANY), drop: () => undefined })
  for (const record of records) {
    const vote = toFeedback(decodeEnvelope(record.value!, record.headers, 1e6), record, { vocabSize: null })
    if (window.admit(vote)) held.push(vote)
  }
  return new Map(held.snapshot().held.map(({ subject, label }) => [subject, label]))
}
