import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { healthOf, PredictionRecord, reliability } from '../../src/ratio/prediction-record.js'

/** What scikit-learn says of 600 logits (`make test-sklearn` writes it anew). */
const golden: { ups: number[]; downs: number[]; logLoss: number; auc: number; calibrationError: number } = JSON.parse(
  readFileSync(new URL('../golden/classifier_health.json', import.meta.url), 'utf8'),
)

test('balanced log-loss, AUC and calibration error are those of scikit-learn', () => {
  const health = healthOf(golden.ups, golden.downs)
  expect(health.logLoss).toBeCloseTo(golden.logLoss, 12)
  expect(health.auc).toBeCloseTo(golden.auc, 12)
  expect(health.calibrationError).toBeCloseTo(golden.calibrationError, 12)
})

test('tells nothing until both classes have been predicted', () => {
  const record = new PredictionRecord()
  record.add(1, true)
  expect(Object.values(record.health())).toEqual([null, null, null, null])
  record.add(-1, false)
  expect(record.health()).toEqual({
    ...{ logLoss: Math.log1p(Math.exp(-1)), auc: 1, rawDensityRatioMean: Math.exp(-1) },
    calibrationError: expect.closeTo(1 / (1 + Math.E), 12),
  })
})

test('logits of 0 are chance: ln 2, an AUC of ½, calibrated, a ratio of 1', () => {
  const health = healthOf([0, 0, 0], [0, 0])
  expect(health).toEqual({
    logLoss: expect.closeTo(Math.LN2, 14),
    auc: 0.5,
    calibrationError: 0,
    rawDensityRatioMean: 1,
  })
})

test('the shares of the bins add up, and both classes weigh the same', () => {
  const bins = reliability(golden.ups, golden.downs)
  expect(bins.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12)
  expect(bins.reduce((sum, { share, observed }) => sum + share * observed, 0)).toBeCloseTo(0.5, 12)
})

test('remembers the last 512 of each class', () => {
  const record = new PredictionRecord()
  for (let i = 0; i < 600; i++) record.add(-5, true)
  for (let i = 0; i < 512; i++) record.add(5, true)
  record.add(-5, false)
  expect(record.health().auc).toBe(1)
  expect(record.tensors().ups).toHaveLength(512)
  const restored = new PredictionRecord()
  restored.restore(record.tensors())
  expect(restored.health()).toEqual(record.health())
})
