import type { ErrorTable } from './entry.js'

/** The command line and its configuration. The command answers each of these with exit code 2. */
export const CONFIGURATION_ERRORS = {
  USAGE: { cause: 'The command line was not understood.', remedy: 'Run the command with --help.' },
  CONFIG_UNREADABLE: {
    cause: 'The configuration file cannot be read or parsed.',
    remedy: 'Check the path, its permissions and the YAML or JSON at the line that is named.',
  },
  CONFIG_UNKNOWN_KEY: {
    cause: 'A file, variable or flag sets a key that does not exist.',
    remedy: 'Correct the name; `bcod config schema` lists every key.',
  },
  CONFIG_INVALID: {
    cause: 'A key has a value of the wrong type or out of range, or contradicts another key.',
    remedy: 'Correct the value in the place that the message names; `bcod config explain KEY` says what it accepts.',
  },
  CONFIG_MISSING: {
    cause: 'The command needs a key that has no default and is not set.',
    remedy: 'Set it in the file, in the environment or with --set.',
  },
} as const satisfies ErrorTable
