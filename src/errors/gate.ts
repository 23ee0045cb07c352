import type { ErrorTable } from './entry.js'

/** The gate: what a version must pass before it becomes live. */
export const GATE_ERRORS = {
  GATE_PROBE_SHORT: {
    cause: 'A probe file has fewer than two pairs that fit into the model, so its mean has no interval.',
    remedy: 'Add pairs, shorten them, or raise limits.maxLength.',
  },
  GATE_NO_PROMPTS: {
    cause: 'A check needs recent prompts, and there are fewer than two.',
    remedy:
      'Wait until votes have trained. For bcod adapters gate, keep journal.keepEvents on: the prompts come from the journal.',
  },
  GATE_GOLDEN_INVALID: {
    cause: 'A row of a file of golden prompts cannot be used.',
    remedy: 'Correct the row at the line that is named; docs/gate.md has the fields.',
  },
  GATE_HOOK_TIMEOUT: {
    cause: 'An evaluation hook did not answer within gate.timeout. Its processes were killed.',
    remedy: 'Make it faster, or raise gate.timeout. Run it by hand with bcod adapters gate to see what it does.',
  },
  GATE_HOOK_FAILED: {
    cause: 'An evaluation hook could not be started or reached, or reported a failure of its own.',
    remedy: 'Run it by hand with bcod adapters gate: its error output is shown there.',
  },
  GATE_HOOK_INVALID: {
    cause: 'What an evaluation hook answered is no verdict.',
    remedy: 'It must print one JSON object with "outcome": "passed" or "refused", and nothing else; see docs/gate.md.',
  },
} as const satisfies ErrorTable
