import { existsSync } from 'node:fs'
import type { SkippedRecord } from '../../import/report.js'
import { SKIP_REASONS } from '../../import/vote.js'
import { listBeside } from '../invalid-rows.js'
import { keepInput } from '../output.js'
import { print, printJson } from '../print.js'
import { openDestination } from './destination.js'
import { type ImportFlags, usage } from './flags.js'
import { originOf } from './origin.js'
import { importPass } from './pass.js'
import { printReport } from './print-report.js'

/** A file that is no export at all has millions of broken lines. */
const LISTED = 100_000

/** Imports files, or what a product has now, and reports. */
export async function importOnce(flags: ImportFlags): Promise<void> {
  const { file = [], out, json } = flags
  if (out !== undefined) for (const input of file) keepInput(out, input)
  keepEarlier(flags)
  const origin = originOf(flags)
  const destination = await openDestination(flags)
  try {
    const broken: SkippedRecord[] = []
    const report = await importPass(flags, origin, destination, (record) => {
      if (broken.length < LISTED) broken.push(record)
    })
    const list = out === undefined ? null : listBeside(out, file, broken.map(listed))
    if (json) return printJson({ ...report, out: destination.name })
    printReport(report, destination.name)
    if (list !== null && broken.length > 0)
      print(`\n${list} lists ${broken.length < LISTED ? 'all' : 'the first'} ${broken.length} that are broken`)
  } finally {
    await destination.close()
  }
}

const listed = ({ place, reason, detail }: SkippedRecord) => ({
  ...{ code: reason, place, reason: detail ?? SKIP_REASONS[reason] },
})

/** With a state a file gets what is new alone: it must not replace the votes that were new before. @throws USAGE */
function keepEarlier({ out, state }: ImportFlags): void {
  if (out === undefined || state === undefined || !existsSync(out) || !existsSync(state)) return
  throw usage('expected a new file: it exists, and --state has what is in it already', '--out')
}
