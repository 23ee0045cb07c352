import { eventsOf } from '../../import/events.js'
import { KnownVotes } from '../../import/known-votes.js'
import { type ImportReport, ReportBuilder, type SkippedRecord } from '../../import/report.js'
import { readState, writeState } from '../../import/state.js'
import type { Destination } from './destination.js'
import { choiceOf, formatOf, type ImportFlags } from './flags.js'
import type { Origin } from './origin.js'

/**
 * Imports once. The state is written when the events are safe: after a crash between the two, the same ids come again.
 *
 * @param onBroken  told of every record that is not as its format wants it
 */
export async function importPass(
  flags: ImportFlags,
  origin: Origin,
  destination: Destination,
  onBroken?: (record: SkippedRecord) => void,
): Promise<ImportReport> {
  const { state: path } = flags
  const { name } = formatOf(flags)
  const choice = choiceOf(flags)
  const started = Date.now()
  const report = new ReportBuilder(name, choice.source, onBroken)
  if (path === undefined) {
    await destination.write(eventsOf(origin.findings(null), choice, report))
    return report.report()
  }
  const state = readState(path, { format: name, source: choice.source })
  const known = new KnownVotes(state.votes)
  await destination.write(eventsOf(origin.findings(state.since), { ...choice, known }, report))
  const since = origin.next(started)
  await writeState(path, { ...state, since, votes: known.snapshot(since) })
  return report.report()
}
