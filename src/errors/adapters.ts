import type { ErrorTable } from './entry.js'

/** LoRA adapters, read and published. */
export const ADAPTER_ERRORS = {
  ADAPTER_MISMATCH: {
    cause: 'The adapter was made for another model or with other LoRA settings.',
    remedy:
      'Set lora.r, lora.alpha, lora.rslora and lora.targets as in its adapter_config.json, or use the base that it names.',
  },
  ADAPTER_INVALID: {
    cause: 'A directory does not hold a whole PEFT LoRA adapter.',
    remedy: 'Point to a directory with adapter_config.json and adapter_model.safetensors as PEFT saves them.',
  },
  ADAPTER_UNSUPPORTED: {
    cause: 'The adapter uses a PEFT feature that bcod does not train.',
    remedy: 'Use a plain LoRA: one rank for all layers, no DoRA, no trained biases, no modules_to_save.',
  },
  ADAPTER_NONFINITE: {
    cause: 'An adapter tensor holds NaN or infinity: the adapter is neither loaded nor published.',
    remedy: 'Servers keep the version before. Lower optimizer.lr or roll back to an earlier checkpoint.',
  },
  ADAPTER_VERSION_CONFLICT: {
    cause: 'This version was added before with other contents.',
    remedy: 'Two lines of checkpoints publish to one directory: give each its own, or move the old version away.',
  },
  ADAPTER_DISK_FULL: {
    cause: 'There is no space left in the adapter directory.',
    remedy: 'Free space or enlarge the volume; the live version is untouched and publishing can be tried again.',
  },
  ADAPTER_IO: {
    cause: 'The adapter directory cannot be read or written.',
    remedy:
      'See the reason. The directory needs a file system with hard and symbolic links, writable for the daemon and for whoever moves versions.',
  },
  ADAPTER_LOG_DAMAGED: {
    cause: 'An entry of the log of moves in the adapter directory is not whole, so nobody knows which version is live.',
    remedy:
      'See where the link live leads. Move the named file out of the directory: the entry before it counts then. If live leads elsewhere, run bcod adapters promote.',
  },
  ADAPTER_UNKNOWN: {
    cause: 'The registry has no version of this name.',
    remedy: 'Run bcod adapters list.',
  },
  ADAPTER_MOVED: {
    cause: 'Somebody else has moved an alias of the registry meanwhile; nothing was moved by this call.',
    remedy: 'Run bcod adapters list, and decide again.',
  },
  ADAPTER_UNGATED: {
    cause: 'The gate has not passed this version, or it was rolled back.',
    remedy: 'Read its report with bcod adapters show. To make it live all the same, use --force.',
  },
  ADAPTER_FROZEN: {
    cause: 'The live adapter was rolled back: nothing is published or learnt until somebody resumes.',
    remedy:
      'Run bcod adapters resume --from VERSION to go on from an older version, or --keep to go on with all that was learnt.',
  },
  ADAPTER_NOT_RESUMABLE: {
    cause: 'Learning cannot go on from this version: no checkpoint of its step is whole.',
    remedy:
      'Choose another version with --from: the column resume of bcod adapters list says which. Or put the checkpoint back from a backup, or go on with all that was learnt with --keep.',
  },
  ADAPTER_PINNED: {
    cause: 'The live version is pinned.',
    remedy: 'Release it with bcod adapters pin --off.',
  },
  ADAPTER_NO_PREVIOUS: {
    cause: 'There is no older version to go back to.',
    remedy: 'Name one of bcod adapters list with --to.',
  },
} as const satisfies ErrorTable
