import type { AppliedStep } from '../../src/learner/step.js'

/** A step over the events at these indexes, as a learner reports it; its figures are plain. */
export const appliedStep = (step: number, trained: readonly number[]): AppliedStep => ({
  ...{ step, trained, densityRatios: trained.map(() => 1), microBatches: [trained.map((_, i) => i)], upShare: 0.5 },
  adapterSha256: `${step}`.padStart(64, '0'),
  ...{ events: trained.length, up: trained.length, down: 0, tokens: 3 * trained.length, loss: 0.7, delta: 0.1 },
  ...{ gradNorm: 1, lr: 1e-4, rewardsUp: trained.map(() => 0), rewardsDown: [], rewardUpMean: 0, rewardDownMean: null },
  ...{
    logRatios: trained.map(() => 0),
    klPerToken: 0,
    densityRatiosDown: [],
    clampedLow: 0,
    clampedHigh: 0,
    densityRatioMean: null,
  },
  ...{ essRatio: null, prequentialAccuracy: 0.5 },
  classifier: {
    ...{
      ready: false,
      trust: 0,
      refused: 0,
      logLoss: null,
      auc: null,
      calibrationError: null,
      rawDensityRatioMean: null,
    },
  },
})
