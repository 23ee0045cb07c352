import { expect, test } from 'vitest'
import { fitBalanced } from '../../src/ratio/fit-once.js'
import { dot, sigmoid } from '../../src/ratio/logistic.js'
import { PromptClassifier, type RatioOptions } from '../../src/ratio/prompt-classifier.js'
import { golden, goldenEmbeddings, goldenLabels } from './golden.js'
import { inSteps, samples } from './streams.js'

const OPTIONS: RatioOptions = { mode: 'fit-once', events: 200, seed: 0, min: 0.5, max: 10 }
const rows = goldenEmbeddings.map((x) => Float64Array.of(...x, 1))

test('finds the coefficients that scikit-learn finds', () => {
  const theta = fitBalanced(rows, goldenLabels)
  golden.tight.coef.forEach((coefficient, i) => {
    expect(Math.abs(theta[i]! - coefficient)).toBeLessThan(1e-6)
  })
  expect(Math.abs(theta.at(-1)! - golden.tight.intercept)).toBeLessThan(1e-6)
})

test('a converged fit satisfies mean₊(1 − p) = mean₋(p)', () => {
  const theta = fitBalanced(rows, goldenLabels)
  const p = rows.map((row) => sigmoid(dot(row, theta)))
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
  const up = mean(p.filter((_, i) => goldenLabels[i]).map((value) => 1 - value))
  const down = mean(p.filter((_, i) => !goldenLabels[i]))
  expect(up).toBeCloseTo(down, 12)
})

test('gives the probabilities and clamped ratios of that fit, once it has seen its events', () => {
  const classifier = new PromptClassifier(OPTIONS)
  const downs = goldenEmbeddings.filter((_, i) => !goldenLabels[i])
  const labels = downs.map(() => false)
  classifier.update(goldenEmbeddings.slice(0, 199), goldenLabels.slice(0, 199))
  expect(classifier.densityRatios(downs, labels).values.every((weight) => weight === 1)).toBe(true)
  classifier.update(goldenEmbeddings.slice(199), goldenLabels.slice(199))
  classifier.probability(goldenEmbeddings).forEach((p, i) => {
    expect(Math.abs(p - golden.tight.prob_desirable[i]!)).toBeLessThan(1e-6)
  })
  classifier.densityRatios(downs, labels).values.forEach((weight, i) => {
    expect(Math.abs(weight - golden.tight.rejected_weight_f64[i]!)).toBeLessThan(1e-6)
  })
})

test('never learns again, and records how it does on what follows', () => {
  const classifier = new PromptClassifier({ ...OPTIONS, events: 400 })
  const all = samples({ width: 4, upRate: 0.5, separation: 2, seed: 3 }, 1_000)
  const probe = all.slice(0, 5).map(({ embedding }) => embedding)
  const seen: Float64Array[] = []
  for (const { embeddings, labels } of inSteps(all, 100)) {
    classifier.update(embeddings, labels)
    seen.push(classifier.probability(probe))
  }
  expect(seen[9]).toEqual(seen[3])
  expect(classifier.health().logLoss).toBeLessThan(0.5)
})

test('waits for enough of both classes', () => {
  const classifier = new PromptClassifier({ ...OPTIONS, events: 20, minPerClass: 4 })
  const ups = samples({ width: 2, upRate: 1, separation: 1, seed: 1 }, 40)
  const downs = samples({ width: 2, upRate: 0, separation: 1, seed: 2 }, 4)
  for (const { embeddings, labels } of inSteps(ups, 40)) classifier.update(embeddings, labels)
  expect(classifier.health().ready).toBe(false)
  for (const { embeddings, labels } of inSteps(downs, 4)) classifier.update(embeddings, labels)
  expect(classifier.health().ready).toBe(true)
})

test('goes on the same after a restore, before the fit and after it', () => {
  const all = samples({ width: 3, upRate: 0.6, separation: 1, seed: 9 }, 120)
  for (const cut of [0, 40, 80]) {
    const original = new PromptClassifier({ ...OPTIONS, events: 60 })
    const restored = new PromptClassifier({ ...OPTIONS, events: 60 })
    for (const { embeddings, labels } of inSteps(all.slice(0, cut), 5)) original.update(embeddings, labels)
    restored.restore(original.snapshot())
    for (const { embeddings, labels } of inSteps(all.slice(cut), 5)) {
      expect(restored.probability(embeddings)).toEqual(original.probability(embeddings))
      for (const classifier of [original, restored]) classifier.update(embeddings, labels)
    }
    expect(restored.snapshot()).toEqual(original.snapshot())
  }
})
