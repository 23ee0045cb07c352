/** What a text holds that `JSON.parse` refuses, with where it stands: characters, from 0. */
export interface JsonScan {
  /** The first thing that is not JSON; null if there is none but numbers that are not finite. */
  readonly fault: { readonly at: number; readonly problem: string } | null
  /** Where `NaN`, `Infinity` and `-Infinity` stand as values: Python's json writes them. */
  readonly notFinite: readonly (readonly [start: number, end: number])[]
}

/**
 * Reads JSON for its form alone, in one pass and without recursion. Slower than `JSON.parse`, which quotes the text in
 * its errors and often does not say where they are: this one never quotes.
 *
 * @see RFC 8259
 */
export function scanJson(text: string): JsonScan {
  const notFinite: [number, number][] = []
  const open: ('{' | '[')[] = []
  let next = 'value' as Next
  let at = 0
  const fault = (problem: string, where = at): JsonScan => ({ fault: { at: where, problem }, notFinite })
  const afterValue = (): Next => (open.length === 0 ? 'end' : 'comma')

  for (;;) {
    at = match(WHITE_SPACE, text, at)
    if (at >= text.length) return next === 'end' ? { fault: null, notFinite } : fault(text === '' ? EMPTY : ENDS_EARLY)
    const character = text[at]!
    if (next === 'end') return fault(SECOND_VALUE)
    if (next === 'colon') {
      if (character !== ':') return fault('expected a colon')
      at += 1
      next = 'value'
    } else if (next === 'comma') {
      if (character === ',') next = open.at(-1) === '{' ? 'key' : 'value'
      else if (closes(character, open.at(-1))) {
        open.pop()
        next = afterValue()
      } else return fault(`expected a comma or the end of the ${open.at(-1) === '{' ? 'object' : 'array'}`)
      at += 1
    } else if (character === '"') {
      const string = endOfString(text, at)
      if (string.problem !== null) return fault(string.problem, string.end)
      at = string.end
      next = next === 'key' || next === 'keyOrEnd' ? 'colon' : afterValue()
    } else if ((next === 'keyOrEnd' || next === 'valueOrEnd') && closes(character, open.at(-1))) {
      open.pop()
      at += 1
      next = afterValue()
    } else if (next === 'key' || next === 'keyOrEnd') {
      return fault('expected a name in double quotes')
    } else if (character === '{' || character === '[') {
      open.push(character)
      at += 1
      next = character === '{' ? 'keyOrEnd' : 'valueOrEnd'
    } else {
      const odd = match(NOT_FINITE, text, at)
      const end = odd > at ? odd : match(SCALAR, text, at)
      if (end === at) return fault(unexpected(character))
      if (odd > at) notFinite.push([at, end])
      at = end
      next = afterValue()
    }
  }
}

/** The problem of a text with more than one value. */
export const SECOND_VALUE = 'something follows the first value'

type Next = 'value' | 'valueOrEnd' | 'key' | 'keyOrEnd' | 'colon' | 'comma' | 'end'

const ENDS_EARLY = 'it ends too early'
const EMPTY = 'it is empty'
const WHITE_SPACE = /[ \t\n\r]*/y
const NOT_FINITE = /-?(?:NaN|Infinity)(?![\w$])/y
const SCALAR = /(?:true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?)(?![\w$])/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[\da-fA-F]{4})/y

/** Where a match that begins at `at` ends; `at` if there is none. */
function match(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at
  return pattern.test(text) ? pattern.lastIndex : at
}

const closes = (character: string, opened: '{' | '[' | undefined): boolean =>
  (character === '}' && opened === '{') || (character === ']' && opened === '[')

/** The end of the string that begins at `start`, or the place of what is wrong in it. */
function endOfString(text: string, start: number): { readonly end: number; readonly problem: string | null } {
  let end = start + 1
  for (;;) {
    while (end < text.length && isPlain(text.charCodeAt(end))) end += 1
    if (end >= text.length) return { end, problem: ENDS_EARLY }
    if (text[end] === '"') return { end: end + 1, problem: null }
    if (text[end] !== '\\') return { end, problem: 'a control character within a string' }
    const after = match(ESCAPE, text, end)
    if (after === end) return { end, problem: 'an escape that JSON does not have' }
    end = after
  }
}

const isPlain = (code: number): boolean => code >= 0x20 && code !== 0x22 && code !== 0x5c

function unexpected(character: string): string {
  if (/[\p{L}_]/u.test(character)) return 'a word that is not true, false or null'
  if (character === "'") return 'JSON has strings in double quotes'
  if (character < ' ') return 'a byte that no text has: Avro, Protobuf or compressed data?'
  return 'expected a value'
}

/** The text with the numbers of `notFinite` as 1e999, which `JSON.parse` reads as Infinity. */
export function withInfinities(text: string, places: readonly (readonly [start: number, end: number])[]): string {
  let from = 0
  const parts = places.map(([start, end]) => {
    const part = text.slice(from, start)
    from = end
    return part
  })
  return [...parts, text.slice(from)].join('1e999')
}
