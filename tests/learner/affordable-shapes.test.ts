import { expect, test } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { AffordableShapes, ShapeOutOfMemory } from '../../src/learner/affordable-shapes.js'

const shapes = [32, 64, 128, 256].map((tokens) => {
  const length = Math.min(tokens, 100)
  return { tokens, sequences: 8, rows: 1, length, longest: length }
})

/** Runs in the largest shape, on a device with memory for so many tokens. */
const on = (memory: number, affordable: AffordableShapes) => () => {
  const shape = affordable.shapes.at(-1)!
  if (shape.tokens > memory) throw new ShapeOutOfMemory(shape, new BcodError('DEVICE_OUT_OF_MEMORY', 'OOM'))
  return shape.tokens
}

test('without a refusal every shape is in use, and no sequence is too long', () => {
  const affordable = new AffordableShapes(shapes)
  expect(affordable.retrySmaller(on(256, affordable))).toBe(256)
  expect(affordable).toMatchObject({ limit: null, longestSequence: Number.POSITIVE_INFINITY, shapes })
})

test('a computation without memory runs again in smaller shapes, and later ones begin with them', () => {
  const affordable = new AffordableShapes(shapes)
  expect(affordable.retrySmaller(on(100, affordable))).toBe(64)
  expect(affordable.limit).toBe(64)
  expect(affordable.shapes.map(({ tokens }) => tokens)).toEqual([32, 64])
  expect(affordable.longestSequence).toBe(64)
  let runs = 0
  affordable.retrySmaller(() => {
    runs += 1
  })
  expect(runs).toBe(1)
})

test('no memory for the smallest shape is an error that names it', () => {
  const affordable = new AffordableShapes(shapes)
  expect(() => affordable.retrySmaller(on(16, affordable))).toThrow(
    expect.objectContaining({ code: 'DEVICE_OUT_OF_MEMORY', place: '32_8_1x32' }),
  )
})

test('other errors are not retried', () => {
  const affordable = new AffordableShapes(shapes)
  let runs = 0
  const failing = () => {
    runs += 1
    throw new BcodError('DEVICE_OUT_OF_MEMORY', 'in another program')
  }
  expect(() => affordable.retrySmaller(failing)).toThrow('in another program')
  expect({ runs, limit: affordable.limit }).toEqual({ runs: 1, limit: null })
})
