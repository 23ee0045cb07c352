#!/usr/bin/env node
/** The command line: `bcod COMMAND`. Results on stdout, everything else on stderr. */
import { program } from './cli/program.js'
import { reportError } from './cli/report-error.js'

// A reader that has seen enough (`bcod … | head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
  process.exit()
})

const bcod = program()
try {
  await bcod.parseAsync()
} catch (error) {
  process.exitCode = reportError(error, bcod.opts<{ debug?: boolean }>().debug === true)
}
