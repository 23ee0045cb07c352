import type { TrainingEvent } from '../events/types.js'
import type { DensityRatios } from '../ratio/density-ratio.js'
import type { ClassifierHealth } from '../ratio/prompt-classifier.js'

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
  /** w(x) of the thumbs-down. */
  readonly densityRatiosDown: readonly number[]
  readonly clampedLow: number
  readonly clampedHigh: number
  readonly densityRatioMean: number | null
  readonly essRatio: number | null
  /** The prompt classifier as it was before the step. */
  readonly classifier: ClassifierHealth
  readonly prequentialAccuracy: number | null
}

/** A step that was computed and applied. */
export interface TrainedStep extends Omit<StepMeasures, 'step'> {
  /** w(x) of each event. */
  readonly densityRatios: readonly number[]
  /** The split of the step into packed batches: indexes into its events. */
  readonly microBatches: readonly (readonly number[])[]
  /** π̂ of thumbs-up before the step. */
  readonly upShare: number
}

export interface AppliedStep extends TrainedStep {
  /** Number of the step, from 1. */
  readonly step: number
  /** The events that trained, as indexes into those handed over; `densityRatios` and `microBatches` are in their order. */
  readonly trained: readonly number[]
  /** sha256 of the adapter after the step. */
  readonly adapterSha256: string
}

const mean = (values: readonly number[]): number | null =>
  values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length

/** Arrays are by event. */
export interface StepNumbers {
  readonly events: readonly TrainingEvent[]
  readonly referenceLogps: readonly number[]
  /** log πθ(y|x) before the step. */
  readonly policyLogps: readonly number[]
  readonly rewards: readonly number[]
  readonly densityRatio: DensityRatios
  readonly delta: number
  readonly loss: number
  readonly gradNorm: number
  readonly lr: number
  readonly microBatches: readonly (readonly number[])[]
  readonly upShare: number
  readonly classifier: ClassifierHealth
}

export function measureStep(step: StepNumbers): TrainedStep {
  const { events, rewards, delta, loss, gradNorm, lr, densityRatio, classifier, microBatches, upShare } = step
  const densityRatios = [...densityRatio.values]
  const ofClass = (values: readonly number[], label: boolean) => values.filter((_, i) => events[i]?.label === label)
  const [rewardsUp, rewardsDown] = [ofClass(rewards, true), ofClass(rewards, false)]
  const densityRatiosDown = ofClass(densityRatios, false)
  const completion = events.reduce((total, { completionTokens }) => total + completionTokens.length, 0)
  const prompt = events.reduce((total, { promptTokens }) => total + promptTokens.length, 0)
  const logRatios = step.policyLogps.map((logp, i) => logp - (step.referenceLogps[i] as number))
  // a reward on δ itself is as right as it is wrong
  const correct = rewards.map((reward, i) => (reward === delta ? 0.5 : Number(reward > delta === events[i]?.label)))
  return {
    events: events.length,
    up: rewardsUp.length,
    down: rewardsDown.length,
    tokens: prompt + completion,
    loss,
    delta,
    gradNorm,
    lr,
    rewardsUp,
    rewardsDown,
    rewardUpMean: mean(rewardsUp),
    rewardDownMean: mean(rewardsDown),
    logRatios,
    klPerToken: completion === 0 ? null : logRatios.reduce((total, value) => total + value, 0) / completion,
    densityRatiosDown,
    clampedLow: densityRatio.clampedLow,
    clampedHigh: densityRatio.clampedHigh,
    densityRatioMean: mean(densityRatiosDown),
    essRatio: rewardsDown.length === 0 ? null : densityRatio.effectiveSampleRatio,
    classifier,
    prequentialAccuracy: mean(correct),
    densityRatios,
    microBatches,
    upShare,
  }
}
