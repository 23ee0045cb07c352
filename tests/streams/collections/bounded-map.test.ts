import { decode, encode } from '@msgpack/msgpack'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BoundedMap, type BoundedMapState } from '../../../src/streams/collections/bounded-map.js'

const writes = fc.array(fc.tuple(fc.integer({ min: 0, max: 30 }), fc.integer({ min: 0, max: 255 })), { maxLength: 120 })

test('holds what a Map with the oldest key removed would hold', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 12 }), writes, (capacity, sets) => {
      const bounded = new BoundedMap(capacity)
      const model = new Map<string, number>()
      for (const [key, value] of sets) {
        bounded.merge(`k${key}`, value)
        if (!model.has(`k${key}`) && model.size === capacity) model.delete(model.keys().next().value!)
        model.set(`k${key}`, (model.get(`k${key}`) ?? 0) | value)
        for (let i = 0; i <= 30; i++) expect(bounded.get(`k${i}`)).toBe(model.get(`k${i}`))
      }
      expect(bounded.size).toBe(model.size)
    }),
  )
})

test('goes on the same after it was saved as MessagePack and restored', () => {
  fc.assert(
    fc.property(writes, writes, (before, after) => {
      const original = new BoundedMap(10)
      for (const [key, value] of before) original.merge(`k${key}`, value)
      const restored = new BoundedMap(10)
      restored.merge('something else', 1)
      restored.restore(decode(encode(original.snapshot())) as BoundedMapState)
      for (const map of [original, restored]) for (const [key, value] of after) map.merge(`k${key}`, value)
      expect(restored.snapshot()).toEqual(original.snapshot())
    }),
  )
})

test('a smaller map keeps the newest keys of a larger one', () => {
  const large = new BoundedMap(10)
  for (let i = 0; i < 10; i++) large.merge(`k${i}`, i)
  const small = new BoundedMap(3)
  small.restore(large.snapshot())
  expect([6, 7, 8, 9].map((i) => small.get(`k${i}`))).toEqual([undefined, 7, 8, 9])
})

test('a million keys are saved in less than 10 MB', () => {
  const map = new BoundedMap(1_000_000)
  for (let i = 0; i < 1_200_000; i++) map.merge(`source-${i}`, 1)
  const { hashes, values } = map.snapshot()
  expect(hashes.byteLength + values.byteLength).toBe(9_000_000)
})
