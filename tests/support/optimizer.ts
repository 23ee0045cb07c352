import type { OptimizerOptions } from '../../src/engine/index.js'

/** AdamW with its usual moments at a constant rate; no weight decay, no clipping. */
export const ADAMW: OptimizerOptions = {
  lr: 1e-3,
  beta1: 0.9,
  beta2: 0.999,
  eps: 1e-8,
  weightDecay: 0,
  clipNorm: 0,
  schedule: 'constant',
  warmupSteps: 0,
  totalSteps: null,
}
