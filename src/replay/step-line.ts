import type { StepMeasures } from '../learner/step.js'

/** One line of `steps.jsonl`; docs/ARCHITECTURE.md and `bcod replay --help` name the fields. */
export interface StepLine {
  readonly step: number
  readonly events: number
  readonly up: number
  readonly down: number
  /** Trained, without padding. */
  readonly tokens: number
  readonly loss: number
  /** The δ that the losses used. */
  readonly delta: number
  /** null if the class is absent. */
  readonly reward_up_mean: number | null
  readonly reward_down_mean: number | null
  /** Over the thumbs-down events; null if there are none. */
  readonly weight_mean: number | null
  readonly ess_ratio: number | null
  /** Before clipping. */
  readonly grad_norm: number
  readonly lr: number
  readonly ms: number
}

/** @param ms  how long the step took */
export const stepLine = (measures: StepMeasures, ms: number): StepLine => ({
  step: measures.step,
  events: measures.events,
  up: measures.up,
  down: measures.down,
  tokens: measures.tokens,
  loss: measures.loss,
  delta: measures.delta,
  reward_up_mean: measures.rewardUpMean,
  reward_down_mean: measures.rewardDownMean,
  weight_mean: measures.densityRatioMean,
  ess_ratio: measures.essRatio,
  grad_norm: measures.gradNorm,
  lr: measures.lr,
  ms: Math.round(ms * 1000) / 1000,
})
