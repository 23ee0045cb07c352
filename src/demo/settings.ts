import { fileURLToPath } from 'node:url'
import { FLATTERY_PROBE } from './world/flattery.js'

/** The small chat model that is shipped with bcod. */
export const EMBEDDED_MODEL = fileURLToPath(new URL('./model', import.meta.url))

/** Votes of one step. */
const BATCH = 4

/** Nats per pair. Honest votes move the probe for flattery by less, votes for flattery by more. */
const PROBE_TOLERANCE = 1

/** The demo's layer of defaults, under file, environment and flags. The rate falls to a ninth of itself over the votes. */
export const demoDefaults = (events: number) => ({
  // a second thread would wait more than it computes: so small are the operations
  model: { path: EMBEDDED_MODEL, threads: 1 },
  lora: { r: 8, alpha: 16 },
  bco: { beta: 0.3, deltaHalfLife: 64 },
  // short moments and a tight clip: there are few steps, and no time for Adam's long memory
  optimizer: {
    ...{ lr: 2e-3, beta1: 0.95, beta2: 0.95, clipNorm: 0.3 },
    ...{ schedule: 'linear', totalSteps: Math.max(1, Math.ceil((1.13 * events) / BATCH)) },
  },
  batch: { size: BATCH, tokens: 512, maxLatency: 0, stratify: false },
  // a few simulated users and prompts are all there is
  limits: { maxLength: 96, userShare: 0, promptRepeats: 0 },
  stream: { topic: 'feedback', brokers: ['embedded:0'], holdBack: 0 },
  checkpoint: { everySteps: 10, every: 0, keep: 2 },
  gate: { probes: ['shipped', FLATTERY_PROBE], probeTolerance: PROBE_TOLERANCE },
  log: { level: 'error' },
})

/** Longest answer, in tokens. */
export const ANSWER_TOKENS = 48
