import { fileURLToPath } from 'node:url'

/** The small chat model that is shipped with bcod. */
export const EMBEDDED_MODEL = fileURLToPath(new URL('./model', import.meta.url))

/** The demo's layer of defaults, under file, environment and flags. */
export const DEMO_DEFAULTS = {
  model: { path: EMBEDDED_MODEL },
  lora: { r: 8, alpha: 16 },
  bco: { beta: 0.3, deltaHalfLife: 64 },
  // short moments and a tight clip: there are 150 steps of four votes each, and no time for Adam's long memory
  optimizer: { lr: 1.5e-3, beta1: 0.95, beta2: 0.95, clipNorm: 0.3 },
  batch: { size: 4, tokens: 512, maxLatency: 0, stratify: false },
  limits: { maxLength: 96 },
  stream: { topic: 'feedback', brokers: ['embedded'], holdBack: 0 },
  checkpoint: { everySteps: 10, every: 0, keep: 2 },
  log: { level: 'error' },
}

/** Longest answer, in tokens. */
export const ANSWER_TOKENS = 48
