import type { ImportReport } from '../../import/report.js'
import { SKIP_REASONS, type SkipReason } from '../../import/vote.js'
import { print, printTable } from '../print.js'

/** So many records of each reason are named on a terminal. */
const NAMED = 5

/** What was taken and skipped. @param target  where the events went */
export function printReport(report: ImportReport, target: string): void {
  printTable([
    ['events', `${report.events}: ${report.up} up, ${report.down} down, ${report.retracted} taken back`],
    ['users', String(report.users)],
    ['skipped', String(report.skipped)],
    ['written to', target],
  ])
  for (const [reason, meaning] of Object.entries(SKIP_REASONS) as [SkipReason, string][]) {
    const count = report.skipped_by_reason[reason] ?? 0
    if (count === 0) continue
    print(`\n${count} ${reason}: ${meaning}`)
    const records = report.skipped_records.filter((record) => record.reason === reason)
    for (const { place, detail } of records.slice(0, NAMED)) print(`  ${place}${detail ? `  ${detail}` : ''}`)
    if (count > NAMED) print(`  … ${count - NAMED} more; --json names the first 100`)
  }
}
