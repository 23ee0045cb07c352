import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseJson, parseJsonText } from '../../src/events/json.js'
import { scanJson } from '../../src/files/json-scan.js'
import { errorLine } from '../events/records.js'
import { runs } from '../support/thorough.js'

const accepts = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** JSON with one character changed, put in or taken away, and pieces that are nearly JSON. */
const nearlyJson = fc.oneof(
  fc
    .tuple(fc.json(), fc.nat(), fc.nat(2), fc.constantFrom(...'{}[]",:\\ \n\u000101e.-+tn/\u2028'))
    .map(([json, at, drop, put]) => {
      const place = at % (json.length + 1)
      return json.slice(0, place) + put + json.slice(place + drop)
    }),
  fc
    .array(
      fc.constantFrom(
        ...['{', '}', '[', ']', '"', ':', ',', ' ', '"a"', '1', '-0.5e+3', '01', '1.', 'true', 'nul', '\\u00e9', '\\x'],
      ),
    )
    .map((parts) => parts.join('')),
)

test('it finds a fault exactly where JSON.parse refuses, in any text near to JSON', () => {
  let refused = 0
  fc.assert(
    fc.property(nearlyJson, (text) => {
      const isJson = accepts(text)
      refused += Number(!isJson)
      expect(scanJson(text).fault === null).toBe(isJson)
    }),
    { numRuns: runs(4_000) },
  )
  expect(refused).toBeGreaterThan(runs(4_000) / 4)
})

test.each([
  ['{"a": nul}', 'at character 6: a word that is not true, false or null'],
  ['{"label": True}', 'at character 10: a word that is not true, false or null'],
  ["{'a': 1}", 'at character 1: expected a name in double quotes'],
  ['["a" "b"]', 'at character 5: expected a comma or the end of the array'],
  ['{"a" 1}', 'at character 5: expected a colon'],
  ['{"a":1,}', 'at character 7: expected a name in double quotes'],
  ['"a\\x"', 'at character 2: an escape that JSON does not have'],
  ['"a\nb"', 'at character 2: a control character within a string'],
  [
    '{"a":1} {"a":2}',
    'at character 8: something follows the first value; each vote is a record, or a line, of its own',
  ],
  ['{"a":', ': it ends too early'],
])('%j: the place and what is wrong', (text, problem) => {
  expect(errorLine(() => parseJson(Buffer.from(text)))).toBe(
    `FEEDBACK_NOT_JSON: not JSON${problem.startsWith(':') ? '' : ' '}${problem}`,
  )
})

test("Python's NaN and infinities are numbers that are not finite, and only as values", () => {
  expect(parseJsonText('{"NaN": "NaN", "a": [NaN, -Infinity, Infinity , 1], "b": "-Infinity"}')).toEqual({
    NaN: 'NaN',
    a: [Infinity, Infinity, Infinity, 1],
    b: '-Infinity',
  })
  expect(errorLine(() => parseJsonText('{"a": NaNa}'))).toContain('at character 6')
})

test('a mebibyte of anything is scanned in no time', () => {
  for (const text of [
    '['.repeat(2 ** 20),
    `${'1'.repeat(2 ** 20)}a`,
    `"${'\\u0041'.repeat(170_000)}`,
    ' '.repeat(2 ** 20),
  ])
    expect(scanJson(text).fault).not.toBeNull()
})
