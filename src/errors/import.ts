import type { ErrorTable } from './entry.js'

/** Import of other products' votes. */
export const IMPORT_ERRORS = {
  IMPORT_FILE_INVALID: {
    cause: 'A CSV or Parquet file of an import is broken, or lacks a column that the product always writes.',
    remedy: 'Export it again, and give it as the product wrote it; the message says what is wrong and where.',
  },
  IMPORT_STATE_INVALID: {
    cause: 'The state file of an import is damaged, or belongs to another source.',
    remedy: 'Give each source a state file of its own. Without one everything is imported again under the same ids.',
  },
  IMPORT_SHRUNK: {
    cause: 'More than half of the votes that were known are missing in an export that is said to be complete.',
    remedy:
      'Check that the export is whole; nothing was taken back. If the votes are really gone, leave --complete out once, with a new state file.',
  },
  IMPORT_SOURCE_UNREACHABLE: {
    cause: 'The product that votes are imported from does not answer, or answers that it cannot now.',
    remedy: 'Check --url, the network and the product. With --follow it is asked again.',
    retryable: true,
  },
  IMPORT_SOURCE_REFUSED: {
    cause: 'The product that votes are imported from does not accept the API key.',
    remedy: 'Put a key that may read feedback into --key-file or BCOD_IMPORT_KEY; docs/import.md says of which kind.',
  },
  IMPORT_SOURCE_INVALID: {
    cause: 'The product that votes are imported from answers otherwise than its API does.',
    remedy:
      'Check that --url is the address of the product, and not of a page before it. docs/import.md names the versions that were tried.',
  },
} as const satisfies ErrorTable
