import { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { TrainingEvent } from '../../src/events/types.js'
import { batches } from '../../src/replay/batches.js'
import { trainingEvent } from '../support/events.js'

const events = (labels: readonly boolean[]): readonly TrainingEvent[] =>
  labels.map((label, i) => trainingEvent(i, { promptTokens: [1], completionTokens: [2], label }))

async function* stream(labels: readonly boolean[]): AsyncGenerator<TrainingEvent> {
  yield* events(labels)
}

async function steps(labels: readonly boolean[], size: number, stratify: boolean, pendingEvents = 1000) {
  const config = { batch: { size, stratify, lookAhead: 8 }, stream: { pendingEvents } } as Parameters<typeof batches>[1]
  const taken: (readonly TrainingEvent[])[] = []
  for await (const batch of batches(stream(labels), config)) taken.push(batch)
  return taken
}

const offsets = (batch: readonly TrainingEvent[]) => batch.map(({ position }) => position.offset)

test('steps take events in file order, all of one size but the last', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.boolean(), { maxLength: 50 }),
      fc.integer({ min: 1, max: 9 }),
      async (labels, size) => {
        const taken = await steps(labels, size, false)
        expect(taken.flatMap(offsets)).toEqual(labels.map((_, i) => i))
        expect(taken.slice(0, -1).every(({ length }) => length === size)).toBe(true)
      },
    ),
  )
})

test('stratified steps hold both classes half and half as long as both wait, and every event once', async () => {
  const labels = [...Array<boolean>(12).fill(true), ...Array<boolean>(8).fill(false)]
  const taken = await steps(labels, 4, true)
  expect(taken.map((batch) => batch.filter(({ label }) => label).length)).toEqual([2, 2, 2, 2, 4])
  expect(taken.flatMap(offsets).sort((a, b) => a - b)).toEqual(labels.map((_, i) => i))
})

test('stratified steps choose what begins alike, within batch.lookAhead', async () => {
  const asked = (name: number) => Array.from({ length: 32 }, (_, i) => 1000 * name + i)
  const mixed = [1, 2, 1, 2, 2, 2, 1, 1, 1].map((name, i) =>
    trainingEvent(i, { promptTokens: asked(name), completionTokens: [i], label: true }),
  )
  const config = { batch: { size: 3, stratify: true, lookAhead: 8 }, stream: { pendingEvents: 1000 } }
  const taken: (readonly TrainingEvent[])[] = []
  for await (const batch of batches(Readable.from(mixed), config as Parameters<typeof batches>[1])) taken.push(batch)
  expect(taken.map(offsets)).toEqual([
    [0, 2, 6],
    [1, 3, 4],
    [5, 7, 8],
  ])
})

test('stratified steps look no further ahead than stream.pendingEvents', async () => {
  const labels = [...Array<boolean>(8).fill(true), ...Array<boolean>(8).fill(false)]
  const [first] = await steps(labels, 4, true, 6)
  expect(offsets(first!)).toEqual([0, 1, 2, 3])
})
