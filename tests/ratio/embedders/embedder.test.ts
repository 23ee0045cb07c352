import { expect, test } from 'vitest'
import type { TrainingEvent } from '../../../src/events/types.js'
import { promptEmbedder } from '../../../src/ratio/embedders/embedder.js'
import { ngrams } from '../../../src/ratio/embedders/ngrams.js'

const event = (promptTokens: readonly number[], promptEmbedding?: Float32Array | null): TrainingEvent => ({
  position: { topic: 't', partition: 0, offset: 0 },
  ...{ timestamp: 0, source: 's', id: 'i', subject: null, user: null, label: true, weight: 1 },
  ...{ promptTokens, completionTokens: [1] },
  ...(promptEmbedding === undefined ? {} : { promptEmbedding }),
})
const STATE = Float64Array.of(1, 2, 3)

test("the prompt's state is taken as it is, and is another thing under another reference", () => {
  const embedder = promptEmbedder({ embedder: 'prompt-state', embeddingModel: null }, 'base')
  expect(embedder.embed(event([1, 2]), STATE)).toBe(STATE)
  const other = promptEmbedder({ embedder: 'prompt-state', embeddingModel: null }, '/models/adapters/v000120')
  expect(other.identity).not.toBe(embedder.identity)
  const elsewhere = promptEmbedder({ embedder: 'prompt-state', embeddingModel: null }, '/elsewhere/v000120')
  expect(elsewhere.identity).toBe(other.identity)
})

test('of an endpoint it is what came with the event', () => {
  const embedder = promptEmbedder({ embedder: 'endpoint', embeddingModel: 'e5' }, 'base')
  const given = Float32Array.of(0.5)
  expect(embedder.embed(event([1], given), STATE)).toBe(given)
  expect(embedder.embed(event([1], null), STATE)).toBeNull()
  expect(embedder.embed(event([1]), STATE)).toBeNull()
  expect(promptEmbedder({ embedder: 'endpoint', embeddingModel: 'other' }, 'base').identity).not.toBe(embedder.identity)
})

test('n-grams are a pure function of the tokens, of norm 1, and know their order', () => {
  const { embed } = promptEmbedder({ embedder: 'ngrams', embeddingModel: null }, 'base')
  expect(embed(event([5, 9, 5, 1]), STATE)).toEqual(ngrams([5, 9, 5, 1]))
  const norm = (x: Float64Array) => Math.hypot(...x)
  expect(norm(ngrams([5, 9, 5, 1]))).toBeCloseTo(1, 12)
  expect(ngrams([5, 9])).not.toEqual(ngrams([9, 5]))
  expect(norm(ngrams([]))).toBe(0)
})

test('prompts with words in common are nearer than prompts without', () => {
  const dot = (a: Float64Array, b: Float64Array) => a.reduce((sum, value, i) => sum + value * b[i]!, 0)
  let [near, far] = [0, 0]
  for (let k = 0; k < 200; k++) {
    const prompt = Array.from({ length: 12 }, (_, i) => 1_000 * k + i)
    near += dot(ngrams(prompt), ngrams([...prompt.slice(0, 9), 7, 8, 9])) / 200
    far += dot(ngrams(prompt), ngrams(prompt.map((token) => token + 500))) / 200
  }
  expect(near).toBeGreaterThan(0.6)
  expect(Math.abs(far)).toBeLessThan(0.05)
})

test('the tokens 0 to 4,999 spread evenly over the places', () => {
  const counts = new Float64Array(256)
  for (let token = 0; token < 5_000; token++) {
    const place = ngrams([token]).findIndex((value) => value !== 0)
    counts[place]! += 1
  }
  // χ² of 255 degrees of freedom: 330 is beyond 99.9 %
  const expected = 5_000 / 256
  expect(counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0)).toBeLessThan(330)
})
