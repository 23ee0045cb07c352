import fc from 'fast-check'
import { expect, test } from 'vitest'
import { MinHeap } from '../../../src/streams/collections/min-heap.js'

test('gives its items in order, also after some were taken out of the middle', () => {
  fc.assert(
    fc.property(fc.array(fc.integer()), fc.integer({ min: 1, max: 5 }), (items, divisor) => {
      const heap = new MinHeap<number>((a, b) => a < b)
      for (const item of items) heap.push(item)
      heap.retain((item) => item % divisor === 0)
      const order: number[] = []
      for (let item = heap.pop(); item !== undefined; item = heap.pop()) order.push(item)
      expect(order).toEqual(items.filter((item) => item % divisor === 0).sort((a, b) => a - b))
    }),
  )
})
