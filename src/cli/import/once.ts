import { eventsOf } from '../../import/events.js'
import { KnownVotes } from '../../import/known-votes.js'
import { ReportBuilder } from '../../import/report.js'
import { fileRows } from '../../import/rows.js'
import { readState, writeState } from '../../import/state.js'
import { keepInput } from '../output.js'
import { printJson } from '../print.js'
import { openDestination } from './destination.js'
import { choiceOf, formatOf, type ImportFlags } from './flags.js'
import { printReport } from './print-report.js'

/** Imports files. The state is written once the events are safe: after a crash between, the same ids come again. */
export async function importOnce(flags: ImportFlags): Promise<void> {
  const { file, out, state: path, json } = flags
  if (out !== undefined) for (const input of file) keepInput(out, input)
  const format = formatOf(flags)
  const choice = choiceOf(flags)
  const report = new ReportBuilder(format.name, choice.source)
  const state = path === undefined ? null : readState(path, { format: format.name, source: choice.source })
  const known = state === null ? undefined : new KnownVotes(state.votes)
  const destination = await openDestination(flags)
  try {
    const found = format.read(fileRows(file, format.lists), flags)
    await destination.write(eventsOf(found, { ...choice, ...(known && { known }) }, report))
    if (path !== undefined && state !== null && known) await writeState(path, { ...state, votes: known.snapshot(null) })
  } finally {
    await destination.close()
  }
  const done = report.report()
  if (json) printJson({ ...done, out: destination.name })
  else printReport(done, destination.name)
}
