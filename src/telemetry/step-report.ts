/** The prompt classifier's figures of what it predicted before each label was known; null until it has predicted. */
export interface ClassifierReport {
  readonly ready: boolean
  /** How much of its logits is used; 0 gives w = 1. */
  readonly trust: number
  /** Prompts without a usable embedding since the line began. */
  readonly refused: number
  /** Balanced, in nats. */
  readonly logLoss: number | null
  readonly auc: number | null
  readonly calibrationError: number | null
  /** Mean of w over thumbs-down before clamping. */
  readonly rawDensityRatioMean: number | null
}

/** What one applied optimizer step measured. Numbers are finite; null if the step had nothing to measure. */
export interface StepReport {
  /** Number of the step, from 1. */
  readonly step: number
  readonly events: number
  readonly up: number
  readonly down: number
  /** Trained tokens, without padding. */
  readonly tokens: number
  readonly loss: number
  /** The δ that the losses used. */
  readonly delta: number
  /** Global norm before clipping. */
  readonly gradNorm: number
  readonly lr: number
  readonly durationMs: number
  /** Implicit rewards β (log π − log π_ref) of the thumbs-up and thumbs-down events. */
  readonly rewardsUp: readonly number[]
  readonly rewardsDown: readonly number[]
  readonly rewardUpMean: number | null
  readonly rewardDownMean: number | null
  /** log π − log π_ref of every event, in nats. */
  readonly logRatios: readonly number[]
  /** Mean of log π − log π_ref per trained token, an estimate of the divergence from the reference, in nats. */
  readonly klPerToken: number | null
  /** w(x) of the thumbs-down events, after clamping. */
  readonly densityRatiosDown: readonly number[]
  /** How many of them were clamped to ratio.min and to ratio.max. */
  readonly clampedLow: number
  readonly clampedHigh: number
  /** (Σw)² / (n Σw²) of them. */
  readonly essRatio: number | null
  /** The prompt classifier before the step. */
  readonly classifier: ClassifierReport
  /** Share of events on the right side of δ before the step learnt from them. */
  readonly prequentialAccuracy: number | null
  /** From the time that each event counts as written at to the end of the step, in seconds. */
  readonly feedbackToStepSeconds: readonly number[]
}
