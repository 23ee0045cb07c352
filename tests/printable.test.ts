import fc from 'fast-check'
import { expect, test } from 'vitest'
import { BcodError } from '../src/errors.js'
import { printable, printableLine } from '../src/printable.js'
import { runs } from './support/thorough.js'

/** Unicode's general category Cc, its bidirectional controls, and its own line ends: none is left but tab and line feed. */
const DANGEROUS = /(?![\t\n])[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u

test('shows what a terminal would obey, and leaves everything else as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = printable(text)
      expect(shown).not.toMatch(DANGEROUS)
      expect(printableLine(text)).not.toMatch(/[\p{Cc}\p{Bidi_Control}\u2028\u2029]/u)
      if (!DANGEROUS.test(text)) expect(shown).toBe(text)
    }),
    { numRuns: runs(5_000) },
  )
  expect(printable('\u001b]0;owned\u0007 \u009b31m\u202egnp.exe\r')).toBe(
    '\\u001b]0;owned\\u0007 \\u009b31m\\u202egnp.exe\\u000d',
  )
})

test('a JSON document keeps its meaning', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.string({ unit: 'binary' }), (value, text) => {
      const json = JSON.stringify({ value, text })
      expect(JSON.parse(printable(json))).toEqual(JSON.parse(json))
    }),
  )
})

test('the line of an error is one line that a terminal can show', () => {
  const error = new BcodError('FILE_UNREADABLE', 'a\nOK everything is fine\u001b[2J', { place: 'x\u009b\n.json' })
  expect(error.line).toBe('FILE_UNREADABLE x\\u009b\\u000a.json: a\\u000aOK everything is fine\\u001b[2J')
})
