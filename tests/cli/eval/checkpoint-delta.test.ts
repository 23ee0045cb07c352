import { expect, test } from 'vitest'
import type { StateTensor } from '../../../src/checkpoint/snapshot.js'
import { deltaOf } from '../../../src/cli/eval/checkpoint-delta.js'

const state = (values: Readonly<Record<string, number>>): ReadonlyMap<string, StateTensor> =>
  new Map(
    Object.entries(values).map(([name, value]) => [
      `delta.${name}`,
      { dtype: 'f64', shape: [1], data: Float64Array.of(value) },
    ]),
  )

test('δ of a paper-mode checkpoint is the middle between the class means S / W', () => {
  expect(deltaOf(state({ upSum: 0.3, upMass: 0.5, downSum: -0.1, downMass: 0.25 }))).toBeCloseTo(0.5 * (0.6 - 0.4), 15)
})

test('it is 0 while one class has not been seen', () => {
  expect(deltaOf(state({ upSum: 0.3, upMass: 0.5, downSum: 0, downMass: 0 }))).toBe(0)
})

test("δ of a trl-mode checkpoint is the running mean in f32, as TRL's is", () => {
  expect(deltaOf(state({ mean: 0.1, count: 40 }))).toBe(Math.fround(0.1))
})
