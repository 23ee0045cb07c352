import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

/** The set-up's own small addons (scripts/addon), beside libtensorflow. */
export const OWN_ADDONS = {
  /** Loads TensorFlow's library without its notices on stderr. */
  quietLoad: 'bcod_quiet_load.node',
  /** Says that native code has crashed. */
  deathNotice: 'bcod_death_notice.node',
  /** GPUs of the driver, and switches of how they compute that TensorFlow's C API lacks. */
  gpuNumerics: 'bcod_gpu_numerics.node',
  /** Sessions of TensorFlow's C API. */
  sessions: 'bcod_sessions.node',
  /** A program and no addon: one task of a cluster. */
  worker: 'bcod_worker',
} as const

/** Where set-up puts libtensorflow (`lib`) and the small addons. */
export const addonDirectory = (): string =>
  join(dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu/package.json')), 'deps')

/** Where an addon is once the set-up has run. */
export const addonPath = (addon: keyof typeof OWN_ADDONS): string => join(addonDirectory(), OWN_ADDONS[addon])
