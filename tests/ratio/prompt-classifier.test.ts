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
  expect([...classifier.weights([Float64Array.of(1)], [false]).weights]).toEqual([1])
  expect(classifier.health()).toEqual({ ready: false, refused: 0, logLoss: null })
})

test.each(MODES.slice(1))('$mode: thumbs-down on prompts like those of thumbs-up weigh more', (options) => {
  const classifier = trained(options)
  const [likeUp, likeDown] = [Float64Array.of(2, 0, 0, 0), Float64Array.of(-2, 0, 0, 0)]
  expect([...classifier.weights([likeUp, likeDown, likeUp], [false, false, true]).weights]).toEqual([10, 0.5, 1])
  expect(classifier.probability([likeUp])[0]).toBeGreaterThan(0.9)
})

test.each(MODES.slice(1))('$mode: measuring changes nothing', (options) => {
  const classifier = trained(options)
  const before = classifier.snapshot()
  const embeddings = all.map(({ embedding }) => embedding)
  classifier.probability(embeddings)
  classifier.weights(
    embeddings,
    all.map(({ label }) => label),
  )
  expect(classifier.snapshot()).toEqual(before)
})

test.each(MODES.slice(1))('$mode: an embedding that is not finite is refused, counted, and weighs 1', (options) => {
  const classifier = trained(options)
  const before = classifier.snapshot()
  const bad = [Float64Array.of(1, Number.NaN, 0, 0), Float32Array.of(1, 2, Number.POSITIVE_INFINITY, 0)]
  expect([...classifier.weights(bad, [false, false]).weights]).toEqual([1, 1])
  expect([...classifier.probability(bad)]).toEqual([0.5, 0.5])
  classifier.update(bad, [false, true])
  expect(classifier.health().refused).toBe(2)
  expect(classifier.snapshot()).toEqual({ ...before, refused: Float64Array.of(2) })
})

test.each(MODES.slice(1))('$mode: an embedding of another width is a broken rule and changes nothing', (options) => {
  const classifier = trained(options)
  const before = classifier.snapshot()
  expect(() => classifier.update([Float64Array.of(1)], [true])).toThrow(/width 1, expected 4/)
  expect(classifier.snapshot()).toEqual(before)
})

test('a state of another mode is refused', () => {
  const state = trained(MODES[2]!).snapshot()
  expect(() => new PromptClassifier(MODES[1]!).restore(state)).toThrow(/saved prompt classifier/)
})
