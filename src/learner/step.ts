import type { TrainingEvent } from '../events/types.js'
import type { Embedding } from '../ratio/classifier-model.js'
import type { DensityRatios } from '../ratio/density-ratio.js'
import type { ClassifierHealth } from '../ratio/prompt-classifier.js'

/** One event on its way through a step. */
export interface TrainedEvent {
  readonly event: TrainingEvent
  /** log πref(y|x) and log πθ(y|x) before the step. */
  reference: number
  policy: number
  /** r = β (logπθ − logπref). */
  reward: number
  /** w(x); 1 for thumbs-up. */
  ratio: number
  /** What the prompt classifier sees of the prompt; null where there is nothing. */
  embedding: Embedding | null
}

/** What an applied step measured; see `StepReport` of telemetry for the meaning of each figure. */
export interface StepMeasures {
  readonly step: number
  readonly events: number
  readonly up: number
  readonly down: number
  readonly tokens: number
  readonly loss: number
  readonly delta: number
  readonly gradNorm: number
  readonly lr: number
  readonly rewardsUp: readonly number[]
  readonly rewardsDown: readonly number[]
  readonly rewardUpMean: number | null
  readonly rewardDownMean: number | null
  readonly logRatios: readonly number[]
  readonly klPerToken: number | null
  readonly weights: readonly number[]
  readonly clampedLow: number
  readonly clampedHigh: number
  readonly weightMean: number | null
  readonly essRatio: number | null
  /** The prompt classifier as it was before the step. */
  readonly classifier: ClassifierHealth
  readonly prequentialAccuracy: number | null
}

export interface AppliedStep extends StepMeasures {
  /** The events that trained, as indexes into those handed over. */
  readonly trained: readonly number[]
  /** w of each of them. */
  readonly ratios: readonly number[]
  /** The split: indexes into `trained`. */
  readonly microBatches: readonly (readonly number[])[]
  /** π̂ of thumbs-up before the step. */
  readonly upShare: number
  /** sha256 of the adapter after the step. */
  readonly adapterSha256: string
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length

export function measureStep(given: {
  step: number
  trained: readonly TrainedEvent[]
  delta: number
  loss: number
  gradNorm: number
  lr: number
  density: DensityRatios
  classifier: ClassifierHealth
}): StepMeasures {
  const { step, trained, delta, loss, gradNorm, lr, density, classifier } = given
  const ups = trained.filter(({ event }) => event.label)
  const downs = trained.filter(({ event }) => !event.label)
  const weights = downs.map((entry) => entry.ratio)
  const completion = trained.reduce((total, { event }) => total + event.completionTokens.length, 0)
  const logRatios = trained.map(({ policy, reference }) => policy - reference)
  // a reward on δ itself is as right as it is wrong
  const correct = trained.map(({ event, reward }) => (reward === delta ? 0.5 : Number(reward > delta === event.label)))
  return {
    step,
    events: trained.length,
    up: ups.length,
    down: downs.length,
    tokens: trained.reduce((total, { event }) => total + event.promptTokens.length + event.completionTokens.length, 0),
    loss,
    delta,
    gradNorm,
    lr,
    rewardsUp: ups.map(({ reward }) => reward),
    rewardsDown: downs.map(({ reward }) => reward),
    rewardUpMean: mean(ups.map(({ reward }) => reward)),
    rewardDownMean: mean(downs.map(({ reward }) => reward)),
    logRatios,
    klPerToken: completion === 0 ? null : logRatios.reduce((total, value) => total + value, 0) / completion,
    weights,
    clampedLow: density.clampedLow,
    clampedHigh: density.clampedHigh,
    weightMean: mean(weights),
    essRatio: downs.length === 0 ? null : density.effectiveSampleRatio,
    classifier,
    prequentialAccuracy: mean(correct),
  }
}
