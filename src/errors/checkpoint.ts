import type { ErrorTable } from './entry.js'

/** Checkpoints, the journal, the fence, replay. */
export const CHECKPOINT_ERRORS = {
  CHECKPOINT_MISSING: {
    cause: 'The consumer group has committed offsets, but there is no checkpoint to continue from.',
    remedy:
      'Point checkpoint.dir at the checkpoints. To start a new lineage, set stream.start (--start): earliest trains everything again, group continues at the committed offsets, latest skips what is there.',
  },
  CHECKPOINT_MODEL_MISMATCH: {
    cause: 'The checkpoint was made for another base model or tokenizer.',
    remedy:
      'Set model.path to the model of the checkpoint, or start a new lineage with an empty checkpoint.dir and another stream.groupId.',
  },
  LINEAGE_MISSING: {
    cause: 'There is no lineage to follow.',
    remedy: 'Give the directory that holds step-00000000 and journal.jsonl (checkpoint.dir).',
  },
  LINEAGE_DIVERGED: {
    cause: 'Replaying a step gave another adapter than the journal says.',
    remedy:
      'Replay on the same CPU type, with the same threads and executor and with the model of the lineage; elsewhere results differ by rounding. If they are the same, report it.',
  },
  LINEAGE_EVENTS_MISSING: {
    cause: 'The journal holds no token ids, so its steps cannot be trained again.',
    remedy: 'Run with journal.keepEvents=true for lines that are to be replayed.',
  },
  CHECKPOINT_FAILED: {
    cause:
      'A checkpoint that was asked for could not be written, or its adapter not be published. What was durable and live before still is.',
    remedy: 'The log has the reason and its code; the daemon tries again with its next checkpoint.',
  },
  CHECKPOINT_SETTINGS_CHANGED: {
    cause: 'A setting that the saved learning state depends on has changed since the checkpoint.',
    remedy:
      'Set it back, or start a new lineage with an empty checkpoint.dir and another stream.groupId; lora.init can take up the last adapter.',
  },
  CHECKPOINT_NOT_FOUND: {
    cause: 'The path given holds no checkpoint.',
    remedy: 'Give a step-… directory, or the directory of checkpoints that it is in.',
  },
  CHECKPOINT_DISK_FULL: {
    cause: 'There is no space left in the checkpoint directory.',
    remedy: 'Free space, enlarge the volume or lower checkpoint.keep; the previous checkpoint is intact.',
  },
  CHECKPOINT_IO: {
    cause: 'The checkpoint directory cannot be written or read.',
    remedy: 'Check that the volume is mounted, writable by this user and healthy; the previous checkpoint is intact.',
  },
  CHECKPOINT_DAMAGED: {
    cause: 'The newest checkpoint has changed since it was written.',
    remedy:
      'Restore its directory from a backup. To continue from the one before, start with --accept-older: events trained since then are read and trained again.',
  },
  CHECKPOINT_VERSION: {
    cause: 'The checkpoint was written in a format that this version of bcod does not know.',
    remedy: 'Run the version of bcod that wrote it, or a later one.',
  },
  LETTERS_DAMAGED: {
    cause:
      'Dead letters that wait on disk, in the letters directory beside the checkpoints, have changed since they were written.',
    remedy:
      'Restore letters from the backup that the checkpoints came from. Without one, move the newest checkpoint out of the directory: training continues from the one before, and what was read since then is read again.',
  },
  JOURNAL_SHORT: {
    cause: 'journal.jsonl is shorter than the checkpoint says: applied steps are missing from it.',
    remedy:
      'Restore journal.jsonl from a backup, or move the checkpoints that are newer than it out of the directory: training continues from the one before them.',
  },
  JOURNAL_MISMATCH: {
    cause: 'journal.jsonl is not the one that the checkpoint was written with.',
    remedy: 'Restore the journal.jsonl that belongs to this checkpoint directory.',
    fatal: true,
  },
  JOURNAL_INVALID: {
    cause: 'A line of journal.jsonl cannot be read.',
    remedy: 'Restore journal.jsonl from a backup.',
  },
  FENCED: {
    cause: 'Another daemon has taken over this checkpoint directory.',
    remedy: 'Nothing to do if that is wanted: it continues from the last checkpoint. Otherwise stop one of the two.',
    fatal: true,
  },
} as const satisfies ErrorTable
