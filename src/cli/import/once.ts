import { existsSync } from 'node:fs'
import { keepInput } from '../output.js'
import { printJson } from '../print.js'
import { openDestination } from './destination.js'
import { type ImportFlags, usage } from './flags.js'
import { originOf } from './origin.js'
import { importPass } from './pass.js'
import { printReport } from './print-report.js'

/** Imports files, or what a product has now, and reports. */
export async function importOnce(flags: ImportFlags): Promise<void> {
  const { file = [], out, json } = flags
  if (out !== undefined) for (const input of file) keepInput(out, input)
  keepEarlier(flags)
  const origin = originOf(flags)
  const destination = await openDestination(flags)
  try {
    const report = await importPass(flags, origin, destination)
    if (json) printJson({ ...report, out: destination.name })
    else printReport(report, destination.name)
  } finally {
    await destination.close()
  }
}

/** With a state a file gets what is new alone: it must not replace the votes that were new before. @throws USAGE */
function keepEarlier({ out, state }: ImportFlags): void {
  if (out === undefined || state === undefined || !existsSync(out) || !existsSync(state)) return
  throw usage('expected a new file: it exists, and --state has what is in it already', '--out')
}
