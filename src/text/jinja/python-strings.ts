/** Texts as Python's own types have them, on code points where JavaScript has UTF-16. */

/** Python's white space: that of Unicode, and four separators of ASCII. */
const PYTHON_SPACES =
  '\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a' +
  '\u2028\u2029\u202f\u205f\u3000'
const WORD = new RegExp(`[^${PYTHON_SPACES}]+`, 'gu')
// biome-ignore lint/suspicious/noControlCharactersInRegex: they end lines in Python
const LINE_END = /\r\n|[\n\v\f\r\x1c\x1d\x1e\x85\u2028\u2029]/u

/** `str.strip`, `lstrip` and `rstrip`. @param characters  those to take away; null = white space */
export function strip(value: string, side: 'both' | 'left' | 'right', characters: string | null = null): string {
  const set = new Set(characters ?? PYTHON_SPACES)
  const all = [...value]
  let start = 0
  let end = all.length
  if (side !== 'right') while (start < end && set.has(all[start]!)) start += 1
  if (side !== 'left') while (end > start && set.has(all[end - 1]!)) end -= 1
  return all.slice(start, end).join('')
}

/** `str.split`, or `str.rsplit` from the right. @param separator  null = runs of white space */
export function split(value: string, separator: string | null, most: number, side: 'left' | 'right'): string[] {
  if (separator === '') throw new Error('empty separator')
  const limit = most < 0 ? Number.POSITIVE_INFINITY : most
  if (separator === null) return words(value, limit, side)
  const parts = value.split(separator)
  if (parts.length <= limit + 1) return parts
  const cut = side === 'left' ? limit : parts.length - limit
  return side === 'left'
    ? [...parts.slice(0, cut), parts.slice(cut).join(separator)]
    : [parts.slice(0, cut).join(separator), ...parts.slice(cut)]
}

/** What is not split keeps the white space at its far end. */
function words(value: string, limit: number, side: 'left' | 'right'): string[] {
  const found = [...value.matchAll(WORD)]
  const texts = found.map(([word]) => word)
  if (found.length <= limit) return texts
  if (side === 'left') return [...texts.slice(0, limit), value.slice(found[limit]!.index)]
  const last = found[found.length - limit - 1]!
  return [value.slice(0, last.index + last[0].length), ...texts.slice(texts.length - limit)]
}

/** `str.splitlines`. */
export function lines(value: string): string[] {
  const all = value.split(LINE_END)
  return all.at(-1) === '' ? all.slice(0, -1) : all
}

/** `str.title`: every letter behind something else than a letter is a capital. */
export const title = (value: string): string => value.replace(/[\p{L}\p{M}]+/gu, (word) => capitalized(word))

export function capitalized(value: string): string {
  const [first = '', ...rest] = value
  return first.toUpperCase() + rest.join('').toLowerCase()
}

/** `str.find` and `rfind`, counted in code points; -1 if it is not there. */
export function find(value: string, wanted: string, side: 'left' | 'right'): number {
  const at = side === 'left' ? value.indexOf(wanted) : value.lastIndexOf(wanted)
  return at < 0 ? -1 : [...value.slice(0, at)].length
}

/** `repr` of a text. */
export function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'"
  const inside = value.replace(/[\\\p{C}\p{Zl}\p{Zp}\p{Zs}'"]/gu, (character) => {
    if (character === ' ' || ((character === "'" || character === '"') && character !== quote)) return character
    return ESCAPES.get(character) ?? (character === quote ? `\\${quote}` : escaped(character.codePointAt(0)!))
  })
  return quote + inside + quote
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['\\', '\\\\'],
  ['\n', '\\n'],
  ['\r', '\\r'],
  ['\t', '\\t'],
])

function escaped(code: number): string {
  const [mark, width] = code < 0x100 ? ['x', 2] : code < 0x10000 ? ['u', 4] : ['U', 8]
  return `\\${mark}${code.toString(16).padStart(width as number, '0')}`
}

/** `repr` of a float: an exponent from 10¹⁶ on and below 10⁻⁴. */
export function float(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf'
  if (Object.is(value, -0)) return '-0.0'
  const [digits, power] = value.toExponential().split('e') as [string, string]
  const exponent = Number(power)
  if (value !== 0 && (exponent < -4 || exponent >= 16)) {
    return `${digits}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`
  }
  return Number.isInteger(value) ? value.toFixed(1) : String(value)
}

/** `int` of a text; null if it is none. */
export const parsedInteger = (value: string): number | null =>
  /^[+-]?\d+$/.test(strip(value, 'both')) ? Number(strip(value, 'both')) : null

/** `float` of a text; null if it is none. */
export const parsedFloat = (value: string): number | null =>
  /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(strip(value, 'both')) ? Number(strip(value, 'both')) : null
