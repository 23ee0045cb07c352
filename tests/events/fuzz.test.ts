import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback, toRetraction } from '../../src/events/feedback.js'
import { runs } from '../support/thorough.js'
import { cloudEvent, record } from './records.js'

const RUNS = runs(100_000)
/** A parse that takes longer than this hangs; the slowest seen takes a few milliseconds. */
const HANGS_MS = 1_000

const name = fc.oneof(
  ...[
    'specversion',
    'type',
    'source',
    'id',
    'subject',
    'time',
    'data',
    'data_base64',
    'prompt',
    'completion',
    'label',
    'user',
  ].map((each) => fc.constant(each)),
  ...[
    'prompt_tokens',
    'completion_tokens',
    'adapter',
    'logprob',
    'weight',
    'role',
    'content',
    'text',
    'schema',
    'payload',
    'before',
    'after',
    'op',
  ].map((each) => fc.constant(each)),
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty'].map((each) => fc.constant(each)),
  fc.string({ unit: 'binary', maxLength: 8 }),
)
const leaf = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constantFrom(null, '1.0', 'bcod.feedback.v1', '\ud800', '', -0, 2 ** 53),
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 4 }, leaf, fc.array(tie('value'), { maxLength: 4 }), tie('object')),
  object: fc.array(fc.tuple(name, tie('value')), { maxLength: 6 }).map(objectOf),
}))

/** With own keys of any name, `__proto__` among them, as JSON.parse makes them. */
function objectOf(entries: readonly (readonly [string, unknown])[]): object {
  const made = {}
  for (const [key, each] of entries)
    Object.defineProperty(made, key, { value: each, enumerable: true, configurable: true, writable: true })
  return made
}

/** A good event in which one or more fields are something else. */
const spoilt = fc
  .tuple(fc.array(fc.tuple(name, value), { maxLength: 3 }), fc.array(fc.tuple(name, value), { maxLength: 2 }))
  .map(([data, attributes]) => {
    const event = cloudEvent() as { data: object }
    return { ...event, ...objectOf(attributes), data: { ...event.data, ...objectOf(data) } }
  })

const bytesOf = (json: unknown): Buffer => Buffer.from(JSON.stringify(json) ?? 'null')
const text = fc.oneof(value.map(bytesOf), spoilt.map(bytesOf), spoilt.map(bytesOf))
/** Whole, cut short, with bytes flipped, framed, or nothing but bytes. */
const bytes = fc.oneof(
  { weight: 6, arbitrary: text },
  { weight: 1, arbitrary: fc.tuple(text, fc.nat(200)).map(([all, at]) => all.subarray(0, at)) },
  {
    weight: 1,
    arbitrary: fc.tuple(text, fc.nat(), fc.integer({ min: 1, max: 255 })).map(([all, at, flip]) => {
      const copy = Buffer.from(all)
      if (copy.length > 0) copy[at % copy.length]! ^= flip
      return copy
    }),
  },
  { weight: 1, arbitrary: text.map((all) => Buffer.concat([Buffer.from([0, 0, 0, 0, 1]), all])) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((each) => Buffer.from(each)) },
)
const HEADERS = [
  'content-type',
  'ce_specversion',
  'ce_type',
  'ce_source',
  'ce_id',
  'ce_subject',
  'ce_time',
  'ce-id',
  'CE-TYPE',
  'cloudEvents:source',
  'contentType',
  '__proto__',
]
const headers = fc.dictionary(
  fc.constantFrom(...HEADERS),
  fc.oneof(
    fc
      .constantFrom(
        'application/cloudevents+json',
        'application/cloudevents-batch+json',
        '1.0',
        '"1.0"',
        'bcod.feedback.v1',
        'x',
      )
      .map((each) => Buffer.from(each)),
    fc.uint8Array({ maxLength: 8 }).map((each) => Buffer.from(each)),
  ),
  { maxKeys: 4 },
)

/** A place in the event: `$`, an attribute, or a path below `data`. */
const PLACE =
  /^(\$|specversion|type|source|id|subject|key|content-type|before|after|op|data_base64|data(\.[a-z_]+(\[\d+\](\.[a-z]+(\[\d+\](\.[a-z]+)?)?)?)?)?)$/

test(`of ${RUNS} records of any bytes each is a vote or a coded error that names its place, and nothing else changes`, () => {
  const before = Reflect.ownKeys(Object.prototype)
  const seen = { votes: 0, invalid: 0, notJson: 0 }
  let slowest = 0
  const key = Buffer.from('{"id":1}')
  fc.assert(
    fc.property(bytes, headers, (bytes, headers) => {
      const started = performance.now()
      try {
        const vote = toFeedback(decodeEnvelope(bytes, headers, 2 ** 20, { key }), record(null), { vocabSize: 512 })
        seen.votes += 1
        expect(vote.weight >= 0 && vote.weight <= 1).toBe(true)
        expect(Object.getPrototypeOf(vote)).toBe(Object.prototype)
      } catch (error) {
        if (!(error instanceof BcodError)) throw error
        if (error.code === 'FEEDBACK_INVALID') {
          seen.invalid += 1
          expect(error.place).toMatch(PLACE)
        } else {
          seen.notJson += 1
          expect(error.code).toBe('FEEDBACK_NOT_JSON')
        }
      }
      slowest = Math.max(slowest, performance.now() - started)
    }),
    { numRuns: RUNS },
  )
  expect(Reflect.ownKeys(Object.prototype)).toEqual(before)
  expect(slowest).toBeLessThan(HANGS_MS)
  // the generator reaches all three ends
  for (const [end, count] of Object.entries(seen)) expect(count, end).toBeGreaterThan(RUNS / 200)
}, 240_000)

test('any key of a tombstone is a retraction or names the key', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20 }), (key) => {
      try {
        expect(toRetraction({ ...record(null), key }).subject).toBe(Buffer.from(key).toString())
      } catch (error) {
        expect(error).toMatchObject({ code: 'FEEDBACK_INVALID', place: 'key' })
      }
    }),
    { numRuns: runs(2_000) },
  )
})

test('nesting as deep as a record allows neither crashes nor hangs', () => {
  const depth = 2 ** 18
  for (const [open, close] of [
    ['[', ']'],
    ['{"data":', '}'],
  ] as const) {
    const bytes = Buffer.from(`${open.repeat(depth / open.length)}1${close.repeat(depth / open.length)}`)
    expect(() => toFeedback(decodeEnvelope(bytes, {}, 2 ** 20), record(null), { vocabSize: null })).toThrow(BcodError)
  }
})
