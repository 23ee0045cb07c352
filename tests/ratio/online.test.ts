import { describe, expect, test } from 'vitest'
import { fitBalanced } from '../../src/ratio/fit-once.js'
import { dot, softplus } from '../../src/ratio/logistic.js'
import { PromptClassifier } from '../../src/ratio/prompt-classifier.js'
import { thorough } from '../support/thorough.js'
import { inSteps, type Sample, type Source, samples } from './streams.js'

const online = (halfLife = 16_000) => new PromptClassifier({ mode: 'online', halfLife, seed: 1, min: 1e-9, max: 1e9 })

/** Trains on all; returns the weights that thumbs-down got before they were learnt, in the second half. */
function train(classifier: PromptClassifier, all: readonly Sample[]): number[] {
  const late: number[] = []
  let seen = 0
  for (const { embeddings, labels } of inSteps(all, 8)) {
    const { values } = classifier.densityRatios(embeddings, labels)
    seen += labels.length
    if (seen > all.length / 2) late.push(...[...values].filter((_, i) => !labels[i]))
    classifier.update(embeddings, labels)
  }
  return late
}

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

function balancedLogLoss(logit: (x: Float64Array) => number, all: readonly Sample[]): number {
  const of = (label: boolean) =>
    mean(
      all
        .filter((sample) => sample.label === label)
        .map(({ embedding }) => softplus((label ? -1 : 1) * logit(embedding))),
    )
  return 0.5 * (of(true) + of(false))
}

const usedLogit = (classifier: PromptClassifier) => (x: Float64Array) => {
  const p = classifier.probability([x])[0]!
  return Math.log(p / (1 - p))
}

/** The full fit of all samples, on standardised features, by the solver that agrees with scikit-learn. */
function refit(all: readonly Sample[]): (x: Float64Array) => number {
  const width = all[0]!.embedding.length
  const means = Array.from({ length: width }, (_, j) => mean(all.map(({ embedding }) => embedding[j]!)))
  const deviations = means.map((m, j) => Math.sqrt(mean(all.map(({ embedding }) => (embedding[j]! - m) ** 2))))
  const row = (x: Float64Array) =>
    Float64Array.from({ length: width + 1 }, (_, j) => (j < width ? (x[j]! - means[j]!) / deviations[j]! : 1))
  const theta = fitBalanced(
    all.map(({ embedding }) => row(embedding)),
    all.map(({ label }) => label),
  )
  return (x) => dot(theta, row(x))
}

describe('on a stationary stream the loss on new prompts is within 2 % of a full refit', () => {
  test.each<Source>([
    { width: 8, separation: 1, upRate: 0.5, seed: 1 },
    { width: 16, separation: 2, upRate: 0.8, seed: 2 },
    { width: 16, separation: 1, upRate: 0.9, seed: 3, scale: 30, mean: 100 },
    { width: 64, separation: 2, upRate: 0.5, seed: 4, scale: 0.01, mean: -1 },
  ])('width $width, separation $separation, $upRate up', (source) => {
    const classifier = online()
    const all = samples(source, 7_000)
    train(classifier, all.slice(0, 4_000))
    const loss = balancedLogLoss(usedLogit(classifier), all.slice(4_000))
    expect(loss).toBeLessThan(1.02 * balancedLogLoss(refit(all.slice(0, 4_000)), all.slice(4_000)))
  })
})

describe('embeddings that say nothing of the label give weights near 1', () => {
  test.each([0.05, 0.5, 0.95])('at a share of %d up', (upRate) => {
    for (const width of thorough ? [8, 64] : [8]) {
      // as many of the rarer class at each share
      const count = 1_500 / Math.min(upRate, 1 - upRate)
      const weights = train(online(1_000), samples({ width, separation: 0, upRate, seed: 7 }, count))
      expect(Math.abs(mean(weights) - 1)).toBeLessThan(0.05)
      expect(mean(weights.map((weight) => Math.abs(Math.log(weight))))).toBeLessThan(0.15)
    }
  })

  test('and the same embedding for all prompts gives 1', () => {
    const all = samples({ width: 4, separation: 0, upRate: 0.9, seed: 8, scale: 0, mean: 3 }, 800)
    for (const weight of train(online(200), all)) expect(weight).toBeCloseTo(1, 1)
  })
})

test('the mean weight on thumbs-down is 1 where the classes overlap, whatever their shares', () => {
  for (const upRate of [0.5, 0.9]) {
    const weights = train(online(), samples({ width: 4, separation: 1, upRate, seed: 11 }, 20_000))
    expect(Math.abs(mean(weights) - 1)).toBeLessThan(0.08)
  }
})

test('learns the log-ratio of the densities', () => {
  const classifier = online()
  train(classifier, samples({ width: 2, separation: 1, upRate: 0.5, seed: 12 }, 20_000))
  for (const x of [-1, 0, 1]) expect(Math.abs(usedLogit(classifier)(Float64Array.of(x, 0)) - x)).toBeLessThan(0.2)
})

test('follows a stream that turns around', () => {
  const before = samples({ width: 8, separation: 2, upRate: 0.5, seed: 13 }, 3_000)
  const after = samples({ width: 8, separation: -2, upRate: 0.5, seed: 14 }, 4_000)
  const classifier = online(500)
  train(classifier, [...before, ...after.slice(0, 2_000)])
  const loss = balancedLogLoss(usedLogit(classifier), after.slice(2_000))
  expect(loss).toBeLessThan(1.05 * balancedLogLoss(refit(after.slice(0, 2_000)), after.slice(2_000)))
})

test('one class alone never gives a weight other than 1, however long it lasts', () => {
  for (const upRate of [0, 1]) {
    const classifier = online(50)
    const weights = train(classifier, samples({ width: 3, separation: 1, upRate, seed: 15 }, 4_000))
    expect(weights.every((weight) => weight === 1)).toBe(true)
    expect(classifier.health().ready).toBe(false)
  }
})

test('a class that has not come for ages is forgotten, without harm', () => {
  const classifier = online(5)
  train(classifier, samples({ width: 2, separation: 1, upRate: 0.5, seed: 16 }, 200))
  train(classifier, samples({ width: 2, separation: 1, upRate: 1, seed: 17 }, 8_000))
  expect(classifier.health().ready).toBe(false)
  const weights = train(classifier, samples({ width: 2, separation: 1, upRate: 0.5, seed: 18 }, 400))
  expect(classifier.health().ready).toBe(true)
  expect(weights.every(Number.isFinite)).toBe(true)
})

test('an event of weight 0 teaches nothing', () => {
  const [plain, with0] = [online(), online()]
  const all = samples({ width: 2, separation: 1, upRate: 0.5, seed: 19 }, 200)
  for (const { embeddings, labels } of inSteps(all, 8)) {
    plain!.update(embeddings, labels)
    const noise = Float64Array.of(50, -50)
    with0!.update([...embeddings, noise], [...labels, true], [...labels.map(() => 1), 0])
  }
  const x = [Float64Array.of(1, 0)]
  expect(with0!.probability(x)[0]).toBeCloseTo(plain!.probability(x)[0]!, 1)
})

test('steps of hundreds of events teach as well as steps of eight', () => {
  const source: Source = { width: 16, separation: 2, upRate: 0.5, seed: 24 }
  const all = samples(source, 6_000)
  const loss = (step: number) => {
    const classifier = online()
    for (const { embeddings, labels } of inSteps(all.slice(0, 4_096), step)) classifier.update(embeddings, labels)
    return balancedLogLoss(usedLogit(classifier), all.slice(4_096))
  }
  expect(loss(512)).toBeLessThan(1.03 * loss(8))
})

test('goes on bit for bit after a restore, wherever it is cut', () => {
  const all = samples({ width: 24, separation: 1, upRate: 0.7, seed: 20 }, 600)
  const options = { mode: 'online', halfLife: 100, maxWidth: 16, seed: 5, min: 0.5, max: 10 } as const
  for (const cut of [0, 8, 40, 160, 400]) {
    const original = new PromptClassifier(options)
    const restored = new PromptClassifier(options)
    for (const { embeddings, labels } of inSteps(all.slice(0, cut), 8)) original.update(embeddings, labels)
    const state = original.snapshot()
    restored.restore(state)
    for (const { embeddings, labels } of inSteps(all.slice(cut), 8)) {
      expect(restored.densityRatios(embeddings, labels)).toEqual(original.densityRatios(embeddings, labels))
      for (const classifier of [original, restored]) classifier.update(embeddings, labels)
    }
    expect(restored.snapshot()).toEqual(original.snapshot())
    const again = new PromptClassifier(options)
    again.restore(state)
    expect(again.snapshot()).toEqual(state)
  }
})

test('the state at a width of 256 is below 4 MB', () => {
  const classifier = online(1_000)
  train(classifier, samples({ width: 256, separation: 1, upRate: 0.5, seed: 21 }, 160))
  const bytes = Object.values(classifier.snapshot()).reduce((sum, tensor) => sum + tensor.byteLength, 0)
  expect(bytes).toBeLessThan(4_000_000)
})
