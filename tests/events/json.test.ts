import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { parseJson } from '../../src/events/json.js'

const bytes = (text: string) => Buffer.from(text)

function lineOf(value: Uint8Array): string {
  try {
    parseJson(value)
  } catch (error) {
    if (error instanceof BcodError) return error.line
    throw error
  }
  throw new Error('it parsed')
}

describe('parseJson', () => {
  it('gives back every JSON value', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        expect(parseJson(bytes(json))).toEqual(JSON.parse(json))
      }),
    )
  })

  it('throws nothing but its coded error on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (value) => {
        try {
          parseJson(value)
        } catch (error) {
          expect(error).toMatchObject({ code: 'FEEDBACK_NOT_JSON' })
        }
      }),
    )
  })

  it('skips a byte order mark', () => {
    expect(parseJson(bytes('\ufeff{"a":1}'))).toEqual({ a: 1 })
  })

  it('names the first byte that is not UTF-8', () => {
    expect(lineOf(Buffer.from([0x22, 0xc3, 0xa9, 0xc3, 0x28, 0x22]))).toBe('FEEDBACK_NOT_JSON: not UTF-8 at byte 3')
    expect(lineOf(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]))).toBe('FEEDBACK_NOT_JSON: not UTF-8 at byte 1')
    expect(lineOf(Buffer.from([0x22, 0xf0, 0x9f, 0x99]))).toBe('FEEDBACK_NOT_JSON: not UTF-8 at byte 1')
  })

  it('says that a text ends too early', () => {
    expect(lineOf(bytes('{"prompt": "my secret'))).toMatch(
      /^FEEDBACK_NOT_JSON: not JSON( at character \d+|: it ends too early)$/,
    )
    expect(lineOf(bytes('{"prompt":'))).toBe('FEEDBACK_NOT_JSON: not JSON: it ends too early')
  })

  it('never quotes the text', () => {
    for (const text of ['secret', '{"a": secret}', '["secret" "secret"]', '{"secret":}', '"secret\n"']) {
      expect(lineOf(bytes(text))).not.toContain('secret')
    }
  })

  it('keeps __proto__ as a plain key', () => {
    const value = parseJson(bytes('{"__proto__": {"label": true}}'))
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(value).not.toHaveProperty('label')
  })

  it('survives 100,000 nested arrays', () => {
    expect(parseJson(bytes('['.repeat(100_000) + ']'.repeat(100_000)))).toHaveLength(1)
  })
})
