import type { ErrorTable } from './entry.js'

/** Import of other products' votes. */
export const IMPORT_ERRORS = {
  IMPORT_STATE_INVALID: {
    cause: 'The state file of an import is damaged, or belongs to another source.',
    remedy: 'Give each source a state file of its own. Without one everything is imported again under the same ids.',
  },
  IMPORT_SHRUNK: {
    cause: 'More than half of the votes that were known are missing in an export that is said to be complete.',
    remedy:
      'Check that the export is whole; nothing was taken back. If the votes are really gone, leave --complete out once, with a new state file.',
  },
} as const satisfies ErrorTable
