import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope } from '../../src/events/envelope.js'
import type { LogRecord } from '../../src/events/types.js'
import { cloudEvent, errorLine, record } from './records.js'

const decode = ({ value, headers }: LogRecord, maxBytes = 2 ** 20) => decodeEnvelope(value!, headers, maxBytes)

const BINARY = {
  ce_specversion: '1.0',
  ce_type: 'bcod.feedback.v1',
  ce_source: 'chat-wéb',
  ce_id: 'e-1',
  'content-type': 'application/json',
}

describe('decodeEnvelope', () => {
  it('takes a structured CloudEvent by its content type', () => {
    const event = cloudEvent()
    const headers = { 'content-type': 'application/cloudevents+json; charset=UTF-8' }
    expect(decode(record(event, headers))).toEqual({ attributes: event, data: event.data, framed: false })
  })

  it('takes a structured CloudEvent without a content type by its specversion', () => {
    const event = cloudEvent()
    expect(decode(record(event))).toEqual({ attributes: event, data: event.data, framed: false })
  })

  it('takes an object with data as a CloudEvent, so that the missing specversion is what gets named', () => {
    expect(decode(record({ data: {} })).attributes).toEqual({ data: {} })
  })

  it('takes a binary CloudEvent from ce_ headers', () => {
    const { data } = cloudEvent()
    expect(decode(record(data, { ...BINARY, ce_subject: 'c-1', ce_time: '2026-01-01T00:00:00Z' }))).toEqual({
      attributes: {
        specversion: '1.0',
        type: 'bcod.feedback.v1',
        source: 'chat-wéb',
        id: 'e-1',
        subject: 'c-1',
      },
      data,
      framed: false,
    })
  })

  it('prefers the structured form where a bridge has added ce_ headers too', () => {
    const event = cloudEvent()
    const headers = { ...BINARY, 'content-type': 'application/cloudevents+json' }
    expect(decode(record(event, headers)).data).toEqual(event.data)
  })

  it('takes anything else as a bare row', () => {
    const row = { prompt: 'Hi', completion: 'Hello.', label: false }
    expect(decode(record(row, { 'content-type': 'application/json', traceparent: '00-1' }))).toEqual({
      attributes: null,
      data: row,
      framed: false,
    })
  })

  it.each([
    ['a structured event', cloudEvent(), {}, cloudEvent().data],
    ['the data of a binary event', cloudEvent().data, BINARY, cloudEvent().data],
    ['a bare row', { prompt: 'Hi', label: true }, {}, { prompt: 'Hi', label: true }],
  ])("skips a schema registry's zero and schema id before %s", (_, value, headers, data) => {
    const frame = Buffer.from([0, 0x12, 0x34, 0x56, 0x78])
    const framed = record(Buffer.concat([frame, Buffer.from(JSON.stringify(value))]), headers as Record<string, string>)
    expect(decode(framed)).toMatchObject({ data, framed: true })
  })

  it.each([
    ['a frame without anything behind it', [0, 0, 0, 0, 1]],
    ['a frame before Avro', [0, 0, 0, 0, 1, 2, 6, 0x66, 0x6f, 0x6f]],
  ])('refuses %s', (_, bytes) => {
    expect(errorLine(() => decode(record(Buffer.from(bytes))))).toMatch(/^FEEDBACK_NOT_JSON: not JSON/)
  })

  it('refuses JSON that is not an object', () => {
    expect(errorLine(() => decode(record([1, 2])))).toBe(
      'FEEDBACK_INVALID $: expected an object, got an array of 2: one record is one vote, send each as a record of its own',
    )
    expect(errorLine(() => decode(record('yes')))).toBe(
      'FEEDBACK_INVALID $: expected an object, got a string of 3 characters that holds no JSON',
    )
  })

  it('refuses a header that is not UTF-8', () => {
    const bad = { ...record({}, BINARY).headers, ce_id: Buffer.from([0xff]) }
    expect(errorLine(() => decode({ ...record({}), headers: bad }))).toBe('FEEDBACK_INVALID id: expected UTF-8')
  })

  it('refuses 10 MB of text without parsing it', () => {
    const value = Buffer.alloc(10_000_000, 'a')
    expect(errorLine(() => decode(record(value)))).toBe(
      'FEEDBACK_TOO_LARGE: 10000000 bytes, at most 1048576 are accepted',
    )
  })

  it('accepts a value of exactly the limit', () => {
    const value = Buffer.from('{"a": 1}')
    expect(decode(record(value), value.length).data).toEqual({ a: 1 })
  })

  it.each([
    ['a header', { ce_id: 'a'.repeat(2 ** 20) }, null],
    ['the name of a header', { ['x'.repeat(2 ** 20)]: '' }, null],
    ['an encoded attribute', { 'ce-id': '%41'.repeat(2 ** 20) }, null],
    ['the key', {}, Buffer.alloc(2 ** 20)],
  ])('counts %s into the size of a record', (_, headers, key) => {
    const { value, headers: encoded } = record({ label: true }, headers)
    expect(errorLine(() => decodeEnvelope(value!, encoded, 2 ** 20, { key }))).toMatch(/^FEEDBACK_TOO_LARGE: /)
  })

  it('throws nothing but coded errors on any JSON and any headers', () => {
    const names = fc.constantFrom(...Object.keys(BINARY), 'ce_subject', 'ce-id', 'CE_TYPE', 'contentType', '__proto__')
    const headers = fc.dictionary(names, fc.string())
    fc.assert(
      fc.property(fc.json(), headers, (json, values) => {
        try {
          decode(record(Buffer.from(json), values))
        } catch (error) {
          expect(error).toMatchObject({ name: 'BcodError' })
        }
      }),
    )
  })
})
