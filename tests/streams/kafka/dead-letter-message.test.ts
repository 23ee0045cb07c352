import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type DeadLetterMessage,
  deadLetterMessage,
  inRequests,
  messageBytes,
} from '../../../src/streams/kafka/dead-letter-message.js'
import type { DeadLetter } from '../../../src/streams/source.js'

const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((each) => Buffer.from(each))
const headers = fc.dictionary(fc.string({ maxLength: 30 }), bytes(100), { maxKeys: 5 })
const record = fc.record({
  topic: fc.constant('t'),
  partition: fc.nat(99),
  offset: fc.maxSafeNat(),
  timestamp: fc.nat(),
  key: fc.option(bytes(3000)),
  value: fc.option(bytes(6000)),
  headers,
})
const dead = fc.record({ record, code: fc.constant('C'), message: fc.string(), stage: fc.constant('decode') })

test('a letter never takes more than the limit, once the reasons themselves fit', () => {
  fc.assert(
    fc.property(dead, fc.integer({ min: 2048, max: 8000 }), (letter, limit) => {
      expect(messageBytes(deadLetterMessage(letter, limit))).toBeLessThanOrEqual(limit)
    }),
  )
})

test('where everything fits nothing is changed', () => {
  fc.assert(
    fc.property(dead, (letter) => {
      const { key, value, headers } = deadLetterMessage(letter, 1 << 20)
      expect([key, value]).toEqual([letter.record.key, letter.record.value])
      expect(headers).toMatchObject(Object.fromEntries(Object.entries(letter.record.headers)))
      expect(headers).not.toHaveProperty(['bcod.error.value.length'])
    }),
  )
})

test('a letter for a range of offsets tells the first, the last and how many records their batch claims', () => {
  const letter: DeadLetter = fc.sample(dead, 1)[0]!
  const { headers } = deadLetterMessage(
    { ...letter, record: { ...letter.record, offset: 40 }, range: { lastOffset: 49, records: 7 } },
    1 << 20,
  )
  expect(headers).toMatchObject({
    'bcod.error.offset': '40',
    'bcod.error.last_offset': '49',
    'bcod.error.records': '7',
  })
  expect(headers['bcod.error.id']).toBe(`t-${letter.record.partition}-40`)
})

test('a cut value is the beginning of the whole one', () => {
  fc.assert(
    fc.property(dead, fc.integer({ min: 2048, max: 6000 }), (letter, limit) => {
      const whole = letter.record.value
      const { value } = deadLetterMessage(letter, limit)
      expect(value).toEqual(whole === null ? null : whole.subarray(0, value?.length))
    }),
  )
})

test('batches keep the order and fit, or hold one letter alone', () => {
  const letter: fc.Arbitrary<DeadLetterMessage> = fc.record({ key: fc.constant(null), value: bytes(500), headers })
  fc.assert(
    fc.property(fc.array(letter), fc.integer({ min: 200, max: 3000 }), (letters, limit) => {
      const groups = inRequests(letters, limit)
      expect(groups.flat()).toEqual(letters)
      for (const group of groups)
        expect(group.length === 1 || group.reduce((sum, each) => sum + messageBytes(each), 0) <= limit).toBe(true)
    }),
  )
})
