import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { feedbackLengths } from '../../src/cli/bench/lengths.js'
import { packBatch } from '../../src/learner/packed-batch.js'
import { packedShapes, planMicroBatches } from '../../src/learner/packed-shapes.js'

const events = (lengths: readonly (readonly [prompt: number, completion: number])[]) =>
  lengths.map(([prompt, completion]) => ({
    promptTokens: Array.from({ length: prompt }, (_, i) => 1 + i),
    completionTokens: Array.from({ length: completion }, (_, i) => 1000 + i),
  }))

test('every event lies whole in exactly one packed batch that has room for it', () => {
  const settings = fc.record({
    maxLength: fc.integer({ min: 2, max: 2100 }),
    tokens: fc.integer({ min: 1, max: 5000 }),
    size: fc.integer({ min: 1, max: 40 }),
  })
  const shares = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 40 })
  fc.assert(
    fc.property(settings, shares, ({ maxLength, tokens, size }, all) => {
      const shapes = packedShapes(maxLength, tokens, size)
      const pairs = all.slice(0, size).map((share) => {
        const length = Math.max(2, Math.round(share * maxLength))
        return [length - 1, 1] as const
      })
      const plan = planMicroBatches(
        pairs.map(([a, b]) => a + b),
        shapes,
      )
      expect(plan.flatMap((batch) => batch.events).sort((a, b) => a - b)).toEqual(pairs.map((_, i) => i))
      for (const { shape, events: indexes } of plan) {
        const sequences = events(indexes.map((index) => pairs[index]!))
        const packed = packBatch(sequences, shape, shape.tokens)
        let start = 0
        sequences.forEach(({ promptTokens, completionTokens }, sequence) => {
          const tokens = [...promptTokens, ...completionTokens]
          expect([...packed.inputIds.subarray(start, start + tokens.length)]).toEqual(tokens)
          tokens.forEach((_, i) => {
            const slot = packed.tokenSlots[start + i]!
            expect(packed.slotTokens[slot]).toBe(start + i)
            expect(packed.segmentIds[slot]).toBe(sequence)
            // a row never breaks a sequence
            expect(Math.floor(slot / shape.length)).toBe(Math.floor(packed.tokenSlots[start]! / shape.length))
          })
          start += tokens.length
        })
      }
    }),
    { numRuns: 60 },
  )
})

describe('real feedback of at most 256 tokens, 8 events a step', () => {
  const lengths = feedbackLengths().map(({ prompt, completion }) => prompt + completion)
  const steps = Array.from({ length: lengths.length / 8 }, (_, i) => lengths.slice(8 * i, 8 * i + 8))

  test('fills at least 92 of 100 tokens of its packed batches', () => {
    const shapes = packedShapes(256, 2048, 8)
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)
    const batches = steps.flatMap((step) => planMicroBatches(step, shapes))
    const real = sum(lengths)
    const room = sum(batches.map(({ shape }) => shape.tokens))
    expect(real / room).toBeGreaterThanOrEqual(0.92)
  })

  test('the plan is a function of the lengths alone', () => {
    const shapes = packedShapes(256, 2048, 8)
    const again = packedShapes(256, 2048, 8)
    for (const step of steps) expect(planMicroBatches([...step], again)).toEqual(planMicroBatches(step, shapes))
  })
})
