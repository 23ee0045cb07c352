import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AffordableShapes } from '../../src/learner/affordable-shapes.js'
import { beginningShapes } from '../../src/learner/beginnings.js'
import { type PackedPrograms, packEvents, rowsOfAll } from '../../src/learner/packed-events.js'
import { packedShapes } from '../../src/learner/packed-shapes.js'
import { type TokenPair, tokensOf } from '../../src/learner/token-trees.js'

const NONE = new Float32Array()

/**
 * Programs whose outputs tell the event and the terms that they were given; of the gradient they keep, by place, which
 * prompts it is of, in the order in which they were added.
 */
function programs(places = 1) {
  const gradients: number[][] = Array.from({ length: places }, () => [])
  const logp = ({ promptTokens, completionTokens }: TokenPair) => -100 * promptTokens.length - completionTokens.length
  const model: PackedPrograms = {
    session: { places: [...gradients.keys()], isRemote: () => false, drop: () => {} },
    placeTimes: { count: (run) => run() },
    pairCost: 0,
    batchCost: 32,
    inBlocks: true,
    reference: {
      shapes: beginningShapes(1024, 8),
      begin: (tokens) => ({ ...{ keys: NONE, values: NONE, sum: NONE }, length: tokens.length }),
      // tells the whole event and how much of it was known
      continue:
        (events, { shape }, { length }) =>
        () => ({
          logps: events.map((event) => logp(event) + length / 1e4),
          embeddings: events.map(() => Float64Array.of(shape.beginning as number)),
        }),
      prepare: (events) => () => ({
        logps: events.map(logp),
        embeddings: events.map(({ promptTokens }) => Float64Array.from(promptTokens.slice(0, 1))),
      }),
    },
    score: (events) => () => events.map((event) => 2 * logp(event)),
    accumulate: (events, _, { referenceLogps, labels, coefficients, delta, first }, place = 0) => {
      const own = events.map(({ promptTokens }) => promptTokens[0]!)
      gradients[place] = [...(first ? [] : gradients[place]!), ...own]
      return () => ({
        logps: events.map((event) => 2 * logp(event)),
        rewards: events.map((event, i) => (logp(event) - referenceLogps[i]!) * (labels[i] ? 1 : -1) - delta),
        loss: coefficients.reduce((sum, value) => sum + value, 0),
      })
    },
    addGradient: (place) => {
      gradients[0]!.push(...gradients[place]!)
    },
  }
  return { model, gradients, logp }
}

const pairs = fc.array(fc.tuple(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 20 })), {
  minLength: 1,
  maxLength: 24,
})

test('what the programs return for the rows of packed batches comes back by event, from any number of places', () => {
  fc.assert(
    fc.property(pairs, fc.integer({ min: 1, max: 4 }), (lengths, places) => {
      const events = lengths.map(([prompt, completion], i) => ({
        promptTokens: Array.from({ length: prompt }, () => i),
        completionTokens: Array.from({ length: completion }, () => i),
      }))
      const { model, gradients, logp } = programs(places)
      const packed = packEvents(model, new AffordableShapes(packedShapes(64, 128, 8)), events)
      const { logps, embeddings } = packed.reference()
      expect(logps).toEqual(events.map(logp))
      expect(embeddings.map(([token]) => token)).toEqual(events.map((_, i) => i))
      expect(packed.policyLogps()).toEqual(events.map((event) => 2 * logp(event)))

      const labels = events.map((_, i) => i % 3 === 0)
      const terms = { referenceLogps: events.map((_, i) => i), labels, coefficients: events.map((_, i) => i), delta: 5 }
      packed.accumulate(terms)
      const { loss, policyLogps, rewards } = packed.accumulate(terms)
      expect(policyLogps).toEqual(events.map((event) => 2 * logp(event)))
      expect(rewards).toEqual(events.map((event, i) => (logp(event) - i) * (labels[i] ? 1 : -1) - 5))
      expect(loss).toBe((events.length * (events.length - 1)) / 2)
      // every gradient once, in the order of the batches, and none of an earlier step
      expect(gradients[0]).toEqual(packed.batches.flatMap((batch) => batch.events))
    }),
  )
})

test('batches of several packings share rounds, and their rows come back by packing', () => {
  const { model, logp } = programs(3)
  const begun: number[] = []
  const pairOf = (length: number) => ({ promptTokens: Array.from({ length }, () => length), completionTokens: [2] })
  const all = [[pairOf(60), pairOf(50)], [], [pairOf(40)]]
  const packings = all.map((events) => packEvents(model, new AffordableShapes(packedShapes(64, 64, 8)), events))
  const rows = rowsOfAll(model, packings, (events, _, place) => {
    begun.push(place)
    return () => events.map(logp)
  })
  expect(rows).toEqual(all.map((events) => events.map(logp)))
  expect(begun).toEqual([0, 1, 2])
})

test('an event longer than the device has memory for is an error', () => {
  const { model } = programs()
  const affordable = new AffordableShapes(packedShapes(64, 128, 8))
  const event = { promptTokens: Array.from({ length: 50 }, () => 1), completionTokens: [2] }
  affordable.limit = 32
  expect(() => packEvents(model, affordable, [event])).toThrow(
    expect.objectContaining({ code: 'DEVICE_OUT_OF_MEMORY', message: 'there is no memory for 51 tokens at once' }),
  )
  expect(tokensOf(event)).toBe(51)
})

test('the reference continues a beginning that several events share, and computes the others whole', () => {
  const { model, logp } = programs()
  const system = Array.from({ length: 300 }, (_, i) => 1000 + i)
  const event = (before: readonly number[], id: number) => ({
    promptTokens: [...before, id],
    completionTokens: [id, id],
  })
  const events = [event(system, 1), event([], 2), event(system, 3)]
  const { logps, embeddings } = packEvents(model, new AffordableShapes(packedShapes(512, 1024, 8)), events).reference()
  // 256 of its 300 tokens are known, in the smallest room that they have
  const known = (row: number) => logp(events[row]!) + 256 / 1e4
  expect(logps).toEqual([known(0), logp(events[1]!), known(2)])
  expect(embeddings.map(([value]) => value)).toEqual([256, 2, 256])
})
