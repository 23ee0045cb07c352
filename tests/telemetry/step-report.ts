import type { StepReport } from '../../src/telemetry/step-report.js'

/** What a step reports, with the fields that matter to a test. */
export const stepReport = (fields: Partial<StepReport>): StepReport => ({
  ...{ step: 1, events: 2, up: 1, down: 1, tokens: 40, loss: 0.7, delta: 0, gradNorm: 1, lr: 1e-4, durationMs: 100 },
  ...{ rewardsUp: [], rewardsDown: [], rewardUpMean: null, rewardDownMean: null, logRatios: [], klPerToken: null },
  ...{
    densityRatiosDown: [1],
    clampedLow: 0,
    clampedHigh: 0,
    essRatio: 1,
    prequentialAccuracy: 0.5,
    feedbackToStepSeconds: [1],
  },
  classifier: {
    ...{ ready: true, trust: 0.9, refused: 0 },
    ...{ logLoss: 0.69, auc: 0.6, calibrationError: 0.04, rawDensityRatioMean: 1.01 },
  },
  ...fields,
})
