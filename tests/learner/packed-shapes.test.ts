import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { feedbackLengths } from '../../src/cli/bench/lengths.js'
import { type PackedInputs, packBatch } from '../../src/learner/packed-batch.js'
import { packedShapes, planMicroBatches } from '../../src/learner/packed-shapes.js'
import { sequenceOf, type TokenPair, tokensOf } from '../../src/learner/token-trees.js'
import type { PackedShape } from '../../src/model/packed-shape.js'
import { queryBlocks } from '../../src/model/query-blocks.js'
import { conversations } from '../support/random-conversations.js'

/** As in SmolLM2-135M on a CPU, about. */
const SETTINGS = { pairCost: 1 / 1500, batchCost: 32, inBlocks: true }

/** Events that share nothing. */
const events = (lengths: readonly (readonly [prompt: number, completion: number])[]): TokenPair[] =>
  lengths.map(([prompt, completion], event) => ({
    promptTokens: Array.from({ length: prompt }, (_, i) => 10_000 * event + i),
    completionTokens: Array.from({ length: completion }, (_, i) => 10_000 * event + 5000 + i),
  }))

/** The tokens that the attention shows to a token, in the order of their positions: what keys and mask of the forward pass say. */
function seenBy(token: number, inputs: PackedInputs, { length }: PackedShape) {
  const { slotEnds, slotTokens, tokenSlots, positionIds } = inputs
  const slot = tokenSlots[token]!
  const row = slot - (slot % length)
  const seen = keysOf(slot - row, inputs, length)
    .filter((column) => column <= slot - row && slotEnds[row + column]! > slot - row)
    .map((column) => slotTokens[row + column]!)
  return seen.sort((a, b) => positionIds[a]! - positionIds[b]!)
}

/** The slots of a row that are computed for a query: one row has a list for each block. */
function keysOf(query: number, { keySlots, keyCounts }: PackedInputs, length: number): readonly number[] {
  if (keySlots === undefined) return Array.from({ length }, (_, column) => column)
  const block = queryBlocks(length).findIndex(({ end }) => query < end)
  return [...keySlots.slice(block * length, block * length + keyCounts![block]!)]
}

test('every completion token is predicted from all that stands before it in its event, and from nothing else', () => {
  const settings = fc.record({
    most: fc.integer({ min: 1, max: 30 }),
    tokens: fc.integer({ min: 1, max: 700 }),
    size: fc.integer({ min: 1, max: 14 }),
    pairCost: fc.constantFrom(0, 1 / 1500, 1 / 20),
    batchCost: fc.constantFrom(32, 4096),
    inBlocks: fc.boolean(),
  })
  fc.assert(
    fc.property(
      settings.chain(({ most, ...rest }) => fc.tuple(fc.constant({ most, ...rest }), conversations(most))),
      ([{ most, tokens, size, ...costs }, step]) => {
        const plan = planMicroBatches(step, packedShapes(5 * most + 1, tokens, size), costs)
        expect(plan.flatMap((batch) => batch.events).sort((a, b) => a - b)).toEqual(step.map((_, i) => i))
        for (const batch of plan) {
          const { shape } = batch
          const own = batch.events.map((index) => step[index]!)
          const { inputs, promptParts } = packBatch(own, batch, shape.tokens)
          const { inputIds, positionIds, promptPartIds, tokenSlots, slotTokens } = inputs
          // each token has a slot of its own
          expect([...tokenSlots].map((slot) => slotTokens[slot])).toEqual([...tokenSlots.keys()])
          expect(new Set(tokenSlots).size).toBe(shape.tokens)
          let entry = 0
          own.forEach((event, sequence) => {
            const whole = sequenceOf(event)
            const prompt = event.promptTokens.length
            event.completionTokens.forEach((id, index) => {
              if (prompt + index === 0) return
              const seen = seenBy(inputs.logitIndices[entry]!, inputs, shape)
              expect(seen.map((token) => inputIds[token])).toEqual(whole.slice(0, prompt + index))
              expect(seen.map((token) => positionIds[token])).toEqual(seen.map((_, i) => i))
              expect([inputs.targetIds[entry], inputs.targetSegmentIds[entry]]).toEqual([id, sequence])
              if (index === 0)
                expect(seen.every((token) => promptParts[sequence]!.includes(promptPartIds[token]!))).toBe(true)
              entry++
            })
            const parts = promptParts[sequence]!
            expect([...promptPartIds].filter((part) => parts.includes(part))).toHaveLength(prompt)
          })
          expect(inputs.targetCount).toBe(entry)
          expect(Math.max(-1, ...promptParts.flat())).toBeLessThan(2 * shape.sequences)
        }
      },
    ),
    { numRuns: 150 },
  )
})

describe('real feedback of at most 256 tokens, 8 events a step', () => {
  const all = events(feedbackLengths().map(({ prompt, completion }) => [prompt, completion] as const))
  const steps = Array.from({ length: all.length / 8 }, (_, i) => all.slice(8 * i, 8 * i + 8))
  const sum = (values: readonly number[]) => values.reduce((a, b) => a + b, 0)

  test('fills at least 92 of 100 tokens of its packed batches', () => {
    const shapes = packedShapes(256, 2048, 8)
    const batches = steps.flatMap((step) => planMicroBatches(step, shapes, SETTINGS))
    const room = sum(batches.map(({ shape }) => shape.tokens))
    expect(sum(all.map(tokensOf)) / room).toBeGreaterThanOrEqual(0.92)
  })

  test('is one packed batch for each step if batches are dear, which are often two if they are not', () => {
    const shapes = packedShapes(256, 8192, 8)
    const batches = (batchCost: number) =>
      steps.map((step) => planMicroBatches(step, shapes, { ...SETTINGS, batchCost }).length)
    expect(new Set(batches(4096))).toEqual(new Set([1]))
    expect(batches(32)).toContain(2)
  })

  test('the plan is a function of the events alone', () => {
    const shapes = packedShapes(256, 2048, 8)
    const again = packedShapes(256, 2048, 8)
    for (const step of steps)
      expect(planMicroBatches([...step], again, SETTINGS)).toEqual(planMicroBatches(step, shapes, SETTINGS))
  })

  test.each([
    ['a system prompt of 256 tokens', 256, 0.5],
    ['a system prompt of 1,024 tokens', 1024, 0.26],
  ])('%s stands once', (_, length, most) => {
    const system = Array.from({ length }, (_, i) => 9_000_000 + i)
    const shapes = packedShapes(256 + length, 3072, 8)
    const told = steps.map((step) =>
      step.map((event) => ({ ...event, promptTokens: [...system, ...event.promptTokens] })),
    )
    const room = told.flatMap((step) => planMicroBatches(step, shapes, SETTINGS)).map(({ shape }) => shape.tokens)
    expect(sum(room) / sum(told.flat().map(tokensOf))).toBeLessThan(most)
  })

  test('a few words that all have in common are no reason for longer rows', () => {
    const shapes = packedShapes(256, 2048, 8)
    const greeting = [1, 2, 3, 4]
    const told = steps[0]!.map((event) => ({ ...event, promptTokens: [...greeting, ...event.promptTokens.slice(4)] }))
    for (const { trees } of planMicroBatches(told, shapes, SETTINGS)) expect(new Set(trees)).toEqual(new Set([1]))
  })
})
