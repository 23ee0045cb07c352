import type { ErrorTable } from './entry.js'

/** Feedback events and files of pairs. */
export const FEEDBACK_ERRORS = {
  FEEDBACK_NOT_JSON: {
    cause: 'A feedback record is not JSON in UTF-8.',
    remedy: 'Publish a CloudEvent or a bare row as JSON; docs/events.md has examples to copy.',
  },
  FEEDBACK_INVALID: {
    cause: 'A field of a feedback event is missing, badly typed or out of range.',
    remedy: 'Correct the field that is named in what publishes the events; docs/events.md lists every field.',
  },
  FEEDBACK_TOO_LARGE: {
    cause: 'A feedback record is longer than limits.maxRecordBytes.',
    remedy: 'Send less text or token ids, or raise limits.maxRecordBytes.',
  },
  FEEDBACK_UNREADABLE: {
    cause: 'bcod failed on a feedback record unexpectedly.',
    remedy: 'Report it with the dead letter, which contains the unchanged record. Other records are not affected.',
  },
  PAIRS_INVALID: {
    cause: 'A row of a pairs file is not a prompt with a chosen and a rejected completion.',
    remedy: 'Write one JSON object a line: prompt, chosen, rejected, or prompt_tokens, chosen_tokens, rejected_tokens.',
  },
} as const satisfies ErrorTable
