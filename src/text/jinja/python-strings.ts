/** Methods of Python's strings that JavaScript has otherwise. */
import type { Value } from './values.js'

/** Python's white space: that of Unicode, and four separators of ASCII. */
const PYTHON_SPACES =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a' +
  '\u2028\u2029\u202f\u205f\u3000'

/** Python's `str.strip`, `lstrip` and `rstrip`. @param characters  those to take away; null = white space */
export function strip(value: string, side: 'both' | 'left' | 'right', characters: string | null = null): string {
  const set = new Set(characters ?? PYTHON_SPACES)
  const all = [...value]
  let start = 0
  let end = all.length
  if (side !== 'right') while (start < end && set.has(all[start]!)) start += 1
  if (side !== 'left') while (end > start && set.has(all[end - 1]!)) end -= 1
  return all.slice(start, end).join('')
}

/** The argument of a template's `strip` or `trim`. */
export function given(characters: Value | undefined): string | null {
  if (characters === undefined || characters.type === 'NullValue') return null
  if (typeof characters.value === 'string') return characters.value
  throw new Error('the characters to strip must be a string')
}

/** Python's `str.capitalize`. */
export function capitalized(value: string): string {
  const [first = '', ...rest] = value
  return first.toUpperCase() + rest.join('').toLowerCase()
}
