import { expect, test } from 'vitest'
import { PromptClassifier, type RatioOptions } from '../../src/ratio/prompt-classifier.js'
import { inSteps, samples } from './streams.js'

const BOUNDS = { min: 0.5, max: 10 }
const MODES: RatioOptions[] = [
  { mode: 'off', ...BOUNDS },
  { mode: 'online', halfLife: 500, seed: 1, ...BOUNDS },
  { mode: 'fit-once', events: 64, seed: 1, ...BOUNDS },
]
const all = samples({ width: 4, separation: 3, upRate: 0.5, seed: 2 }, 400)

function trained(options: RatioOptions): PromptClassifier {
  const classifier = new PromptClassifier(options)
  for (const { embeddings, labels } of inSteps(all, 8)) classifier.update(embeddings, labels)
  return classifier
}

test('switched off, every weight is 1 and no embedding is needed', () => {
  const classifier = trained(MODES[0]!)
  expect(classifier.needsEmbeddings).toBe(false)
  expect([...classifier.densityRatios([Float64Array.of(1)], [false]).values]).toEqual([1])
  expect(classifier.health()).toEqual({
    ...{ ready: false, trust: 0, refused: 0 },
    ...{ logLoss: null, auc: null, calibrationError: null, rawDensityRatioMean: null },
  })
})

test.each(MODES.slice(1))('$mode: thumbs-down on prompts like those of thumbs-up weigh more', (options) => {
  const classifier = trained(options)
  const [likeUp, likeDown] = [Float64Array.of(2, 0, 0, 0), Float64Array.of(-2, 0, 0, 0)]
  expect([...classifier.densityRatios([likeUp, likeDown, likeUp], [false, false, true]).values]).toEqual([10, 0.5, 1])
  expect(classifier.probability([likeUp])[0]).toBeGreaterThan(0.9)
})

test.each(MODES.slice(1))('$mode: measuring changes nothing', (options) => {
  const classifier = trained(options)
  const before = classifier.snapshot()
  const embeddings = all.map(({ embedding }) => embedding)
  classifier.probability(embeddings)
  classifier.densityRatios(
    embeddings,
    all.map(({ label }) => label),
  )
  expect(classifier.snapshot()).toEqual(before)
})

test.each(MODES.slice(1))('$mode: an embedding that is not finite is refused, counted, and weighs 1', (options) => {
  const classifier = trained(options)
  const before = classifier.snapshot()
  const bad = [Float64Array.of(1, Number.NaN, 0, 0), Float32Array.of(1, 2, Number.POSITIVE_INFINITY, 0)]
  expect([...classifier.densityRatios(bad, [false, false]).values]).toEqual([1, 1])
  expect([...classifier.probability(bad)]).toEqual([0.5, 0.5])
  classifier.update(bad, [false, true])
  expect(classifier.health().refused).toBe(2)
  expect(classifier.snapshot()).toEqual({ ...before, refused: Float64Array.of(2) })
})

test.each(MODES.slice(1))('$mode: an embedding of another width is refused, counted, and weighs 1', (options) => {
  const classifier = trained(options)
  const before = classifier.snapshot()
  expect([...classifier.densityRatios([Float64Array.of(9)], [false]).values]).toEqual([1])
  classifier.update([Float64Array.of(1)], [true])
  expect(classifier.snapshot()).toEqual({ ...before, refused: Float64Array.of(1) })
  const empty = new PromptClassifier(options)
  empty.update([Float64Array.of(1, 2), Float64Array.of(1)], [true, false])
  expect(empty.health().refused).toBe(1)
})

test.each<[string, RatioOptions]>([
  ['mode', MODES[2]!],
  ['embedder', { ...MODES[1]!, embedder: 'other' } as RatioOptions],
  ['projection', { ...MODES[1]!, seed: 2 } as RatioOptions],
])('a state that another %s has learnt is not taken up: learning starts over', (_, options) => {
  const classifier = trained(MODES[1]!)
  expect(classifier.restore(trained(options).snapshot())).toBe(false)
  expect(classifier.snapshot()).toEqual(new PromptClassifier(MODES[1]!).snapshot())
  expect(classifier.restore(trained(MODES[1]!).snapshot())).toBe(true)
  expect(classifier.snapshot()).toEqual(trained(MODES[1]!).snapshot())
})

test('a half-life may change without loss', () => {
  const classifier = new PromptClassifier({ ...MODES[1]!, halfLife: 450 } as RatioOptions)
  expect(classifier.restore(trained(MODES[1]!).snapshot())).toBe(true)
  expect(classifier.health()).toEqual(trained(MODES[1]!).health())
})

test('a prompt without an embedding weighs 1, is counted, and is not learnt', () => {
  const classifier = trained(MODES[1]!)
  expect([...classifier.densityRatios([null, Float64Array.of(2, 0, 0, 0)], [false, false]).values]).toEqual([1, 10])
  const before = classifier.snapshot()
  classifier.update([null], [false])
  expect(classifier.snapshot()).toEqual({ ...before, refused: Float64Array.of(1) })
})

test('normalised weights have a moving mean of 1 on the thumbs-down that were seen', () => {
  const options: RatioOptions = { mode: 'online', halfLife: 500, seed: 1, min: 0.05, max: 10, normalise: true }
  const classifier = new PromptClassifier(options)
  const plain = new PromptClassifier({ ...options, normalise: false })
  const skewed = samples({ width: 4, separation: 4, upRate: 0.5, seed: 4 }, 4_000)
  const [normal, raw]: [number[], number[]] = [[], []]
  for (const { embeddings, labels } of inSteps(skewed, 8)) {
    const downs = (of: PromptClassifier) =>
      [...of.densityRatios(embeddings, labels).values].filter((_, i) => !labels[i])
    normal.push(...downs(classifier))
    raw.push(...downs(plain))
    for (const each of [classifier, plain]) each.update(embeddings, labels)
  }
  const mean = (values: number[]) => values.slice(-1_000).reduce((sum, value) => sum + value, 0) / 1_000
  expect(Math.abs(mean(raw) - 1)).toBeGreaterThan(0.1)
  expect(Math.abs(mean(normal) - 1)).toBeLessThan(0.05)
  expect(Math.abs((normal.at(-1)! / raw.at(-1)!) * mean(raw) - 1)).toBeLessThan(0.1)
})
