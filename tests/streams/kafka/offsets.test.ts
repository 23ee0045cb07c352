import fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromOffset, toOffset } from '../../../src/streams/kafka/offsets.js'

test('an offset survives the way to Kafka and back', () => {
  fc.assert(fc.property(fc.maxSafeNat(), (offset) => toOffset(fromOffset(offset)) === offset))
})

test('an offset of 2^53 or more is refused, not rounded', () => {
  const large = fc.bigInt({ min: 2n ** 53n, max: 2n ** 63n - 1n })
  fc.assert(fc.property(large, (offset) => void expect(() => toOffset(String(offset))).toThrow(String(offset))))
})

test('what is no offset does not reach Kafka', () => {
  for (const offset of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53])
    expect(() => fromOffset(offset)).toThrow()
})
