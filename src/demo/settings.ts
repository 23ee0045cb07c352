import { fileURLToPath } from 'node:url'

/** The small chat model that is shipped with bcod. */
export const EMBEDDED_MODEL = fileURLToPath(new URL('./model', import.meta.url))

/** The demo's layer of defaults, under file, environment and flags. */
export const DEMO_DEFAULTS = {
  model: { path: EMBEDDED_MODEL },
  lora: { r: 8, alpha: 16 },
  bco: { beta: 0.2, deltaHalfLife: 64 },
  optimizer: { lr: 3e-3 },
  batch: { size: 8, tokens: 1024, maxLatency: 0, stratify: false },
  limits: { maxLength: 96 },
  stream: { topic: 'feedback', brokers: ['embedded'], holdBack: 0 },
  checkpoint: { everySteps: 10, every: 0, keep: 2 },
  log: { level: 'error' },
}

/** Longest answer, in tokens. */
export const ANSWER_TOKENS = 48
