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
    cause: 'This version was published before with other contents.',
    remedy: 'Two lines of checkpoints publish to one directory: give each its own, or move the old version away.',
  },
  ADAPTER_DISK_FULL: {
    cause: 'There is no space left in the adapter directory.',
    remedy: 'Free space or enlarge the volume; the live version is untouched and publishing can be tried again.',
  },
} as const satisfies ErrorTable
