import type { Config } from '../config/config.js'

/** The form of the programs. It counts up with each change of them that changes bits. */
export const PROGRAMS = 'loop-over-layers/5'

/** The part of the configuration that decides what is learnt. */
export type LearnerConfig = Pick<
  Config,
  'model' | 'devices' | 'leader' | 'lora' | 'bco' | 'ratio' | 'optimizer' | 'batch' | 'limits' | 'seed'
>

/** A warning if training starts from an adapter and rewards are not measured from there; otherwise null. */
export const startNote = ({ lora, model }: Pick<Config, 'lora' | 'model'>): string | null =>
  lora.init === null || model.reference !== 'base'
    ? null
    : 'lora.init starts from an adapter, and model.reference is base: what the adapter has learnt already counts as reward from the first step on; set model.reference to its directory to measure from there'
