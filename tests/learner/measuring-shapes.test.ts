import fc from 'fast-check'
import { expect, test } from 'vitest'
import { measuringShapes } from '../../src/learner/measuring-shapes.js'
import { packedShapes, planMicroBatches } from '../../src/learner/packed-shapes.js'
import type { TokenPair } from '../../src/learner/token-trees.js'
import { conversations } from '../support/random-conversations.js'

const COSTS = { pairCost: 1 / 1500, batchCost: 32, inBlocks: true }

test('shapes are halved down to 128 tokens', () => {
  expect(measuringShapes(packedShapes(1024, 2048, 8)).map(({ tokens }) => tokens)).toEqual([128, 256, 512, 1024, 2048])
  expect(measuringShapes(packedShapes(96, 512, 4)).map(({ tokens }) => tokens)).toEqual([192, 384])
  expect(measuringShapes(packedShapes(512, 8192, 64)).at(-1)!.tokens).toBe(2048)
  expect(measuringShapes(packedShapes(20, 64, 2)).map(({ tokens }) => tokens)).toEqual([40])
})

test('what steps take is scored whole, whatever the settings, in batches that are no larger', () => {
  const settings = fc.record({
    most: fc.integer({ min: 1, max: 30 }),
    tokens: fc.integer({ min: 1, max: 700 }),
    size: fc.integer({ min: 1, max: 14 }),
  })
  fc.assert(
    fc.property(
      settings.chain((given) => fc.tuple(fc.constant(given), conversations(given.most))),
      ([{ most, tokens, size }, pairs]) => {
        const trained = packedShapes(5 * most + 1, tokens, size)
        const shapes = measuringShapes(trained)
        expect(shapes.at(-1)!.tokens).toBe(trained.at(-1)!.tokens)
        // a learner that only measures has none but these
        expect(measuringShapes(shapes)).toEqual(shapes)
        const plan = planMicroBatches(pairs, shapes, COSTS)
        expect(plan.flatMap(({ events }) => events).sort((a, b) => a - b)).toEqual(pairs.map((_, i) => i))
      },
    ),
  )
})

test('as many answers as fit share one batch, however few events a step has', () => {
  const pairs: TokenPair[] = Array.from({ length: 40 }, (_, i) => ({
    promptTokens: Array.from({ length: 20 }, (_, j) => 1000 * (i >> 1) + j),
    completionTokens: Array.from({ length: 12 }, (_, j) => 500 + 1000 * i + j),
  }))
  const trained = packedShapes(1024, 2048, 8)
  const batches = (shapes: typeof trained) => planMicroBatches(pairs, shapes, COSTS).length
  expect(batches(trained)).toBe(5)
  expect(batches(measuringShapes(trained))).toBe(1)
})
