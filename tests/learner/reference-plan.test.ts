import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AffordableShapes } from '../../src/learner/affordable-shapes.js'
import { beginningShapes } from '../../src/learner/beginnings.js'
import { packBatch } from '../../src/learner/packed-batch.js'
import { packedShapes } from '../../src/learner/packed-shapes.js'
import { behind, planReference } from '../../src/learner/reference-plan.js'
import type { TokenPair } from '../../src/learner/token-trees.js'

const shapes = packedShapes(1024, 2048, 8)
const plan = (events: readonly TokenPair[], limit: number | null = null) => {
  const affordable = new AffordableShapes(shapes)
  affordable.limit = limit
  return planReference(events, beginningShapes(1024, 8), {
    affordable,
    options: { pairCost: 1e-3, batchCost: 32, inBlocks: true },
  })
}

const text = (name: number, length: number) => Array.from({ length }, (_, i) => name * 10_000 + i)
const votes = fc.array(
  fc.record({
    system: fc.integer({ min: 0, max: 2 }),
    shared: fc.integer({ min: 0, max: 600 }),
    own: fc.integer({ min: 0, max: 200 }),
    answer: fc.integer({ min: 1, max: 200 }),
  }),
  { minLength: 1, maxLength: 8 },
)
const eventsOf = (all: readonly { system: number; shared: number; own: number; answer: number }[]): TokenPair[] =>
  all.map(({ system, shared, own, answer }, i) => ({
    promptTokens: [...text(system, shared), ...text(10 + i, own)],
    completionTokens: text(20 + i, answer),
  }))

test('every event is computed once: behind a beginning that it has, or whole', () => {
  fc.assert(
    fc.property(votes, (all) => {
      const events = eventsOf(all)
      const { continued, whole } = plan(events)
      const indexes = [...continued.flatMap(({ batches }) => batches), ...whole].flatMap((batch) => batch.events)
      expect(indexes.sort((a, b) => a - b)).toEqual(events.map((_, i) => i))
      for (const { beginning, batches } of continued)
        for (const batch of batches) {
          const own = batch.events.map((index) => events[index]!)
          for (const { promptTokens } of own) {
            expect(promptTokens.slice(0, beginning.length)).toEqual(beginning)
            expect(promptTokens.length).toBeGreaterThan(beginning.length)
          }
          expect(batch.shape.beginning).toBeGreaterThanOrEqual(beginning.length)
          // throws if they do not fit
          const rests = own.map((event) => behind(event, beginning.length))
          packBatch(rests, batch, 2 * batch.shape.tokens)
        }
    }),
  )
})

test('uses no shape that is larger than memory allows', () => {
  const events = eventsOf([1, 2, 3].map((answer) => ({ system: 0, shared: 900, own: 3, answer: 10 * answer })))
  expect(plan(events).continued.map(({ beginning }) => beginning.length)).toEqual([896])
  expect(plan(events, 1024).continued).toHaveLength(1)
  // 896 tokens have no room in 768, and 768 of them do
  expect(plan(events, 960).continued.map(({ beginning }) => beginning.length)).toEqual([768])
  const { continued, whole } = plan(events, 960)
  for (const { shape } of [...continued.flatMap(({ batches }) => batches), ...whole]) {
    expect(shape.tokens).toBeLessThanOrEqual(960)
    expect(shape.beginning ?? 0).toBeLessThanOrEqual(960)
  }
})
