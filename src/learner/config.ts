import type { Config } from '../config/config.js'

/** The part of the configuration that decides what is learnt. */
export type LearnerConfig = Pick<Config, 'model' | 'lora' | 'bco' | 'ratio' | 'optimizer' | 'batch' | 'limits' | 'seed'>
