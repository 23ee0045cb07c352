import fc from 'fast-check'
import { expect, test } from 'vitest'
import { addDiagonal, addOuters, cholesky, multiply, packedLength, solve } from '../../src/ratio/packed.js'

test('adds outer products and multiplies as the full matrix would', () => {
  const a = new Float64Array(packedLength(3))
  addOuters(a, [2], [Float64Array.of(1, 2, 3)])
  addDiagonal(a, (i) => i, 3)
  expect([...a]).toEqual([2, 4, 9, 6, 12, 20])
  expect([...multiply(a, Float64Array.of(1, 1, 1))]).toEqual([12, 25, 38])
})

test('factors a matrix known from the books', () => {
  expect([...cholesky(Float64Array.of(4, 12, 37, -16, -43, 98), 3)!]).toEqual([2, 6, 1, -8, 5, 3])
})

test('refuses a matrix that is not positive definite, and one that is not finite', () => {
  expect(cholesky(Float64Array.of(1, 2, 1), 2)).toBeNull()
  expect(cholesky(Float64Array.of(1, 1, 1), 2)).toBeNull()
  expect(cholesky(Float64Array.of(Number.NaN), 1)).toBeNull()
})

test('a solution multiplied by its matrix gives the right-hand side', () => {
  const value = fc.double({ min: -1, max: 1, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.array(value, { minLength: 99, maxLength: 99 }), (size, values) => {
      const a = new Float64Array(packedLength(size))
      const rows = Array.from({ length: size }, (_, i) => Float64Array.from(values.slice(9 * i, 9 * i + size)))
      addOuters(
        a,
        rows.map(() => 1),
        rows,
      )
      addDiagonal(a, () => 0.1, size)
      const b = Float64Array.from(values.slice(90, 90 + size))
      multiply(a, solve(cholesky(a, size)!, b)).forEach((value, i) => {
        expect(value).toBeCloseTo(b[i]!, 10)
      })
    }),
  )
})

test('several outer products at once are those one by one', () => {
  const rows = [1, 2, 3, 4, 5, 6, 7].map((k) => Float64Array.of(k, k * k, -1 / k, 2))
  const scales = [0.5, -1, 2, 0.25, 3, -0.125, 1]
  const together = new Float64Array(packedLength(4))
  addOuters(together, scales, rows)
  let at = 0
  for (let i = 0; i < 4; i++)
    for (let j = 0; j <= i; j++) {
      const expected = rows.reduce((sum, row, k) => sum + scales[k]! * row[i]! * row[j]!, 0)
      expect(together[at++]).toBeCloseTo(expected, 10)
    }
})
