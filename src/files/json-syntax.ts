type Wanted = 'value' | 'first element' | 'first key' | 'key' | 'colon' | 'after'

/**
 * Where a text stops being JSON: the index of the first character that cannot stand there, its length where it ends too
 * early, null where it is JSON. `JSON.parse` gives the place for some errors only, and quotes the text.
 */
export function jsonErrorAt(text: string): number | null {
  let wanted = 'value' as Wanted
  const open: ('{' | '[')[] = []
  let at = 0
  const is = (character: string): boolean => {
    if (text[at] !== character) return false
    at += 1
    return true
  }
  const close = () => {
    open.pop()
    wanted = 'after'
  }
  for (;;) {
    while (' \t\n\r'.includes(text[at] ?? '-')) at += 1
    if (at >= text.length) return wanted === 'after' && open.length === 0 ? null : at
    if (wanted === 'after') {
      const inside = open.at(-1)
      if (inside === undefined) return at
      if (is(',')) wanted = inside === '{' ? 'key' : 'value'
      else if (is(inside === '{' ? '}' : ']')) close()
      else return at
    } else if (wanted === 'colon') {
      if (!is(':')) return at
      wanted = 'value'
    } else if ((wanted === 'first key' && is('}')) || (wanted === 'first element' && is(']'))) close()
    else if (text[at] === '"') {
      const end = stringEnd(text, at)
      if (!end.closed) return end.at
      at = end.at
      wanted = wanted === 'key' || wanted === 'first key' ? 'colon' : 'after'
    } else if (wanted === 'key' || wanted === 'first key') return at
    else if (text[at] === '{' || text[at] === '[') {
      open.push(text[at] as '{' | '[')
      wanted = text[at] === '{' ? 'first key' : 'first element'
      at += 1
    } else {
      SCALAR.lastIndex = at
      const scalar = SCALAR.exec(text)
      if (scalar === null) return at
      at += scalar[0].length
      wanted = 'after'
    }
  }
}

const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const ESCAPE = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

/** The index after the string that begins at `start`, or of what spoils it. No pattern: a string may be megabytes long. */
function stringEnd(text: string, start: number): { readonly at: number; readonly closed: boolean } {
  for (let at = start + 1; at < text.length; ) {
    const code = text.charCodeAt(at)
    if (code === 0x22) return { at: at + 1, closed: true }
    if (code < 0x20) return { at, closed: false }
    if (code !== 0x5c) at += 1
    else {
      ESCAPE.lastIndex = at
      const escaped = ESCAPE.exec(text)
      if (escaped === null) return { at, closed: false }
      at += escaped[0].length
    }
  }
  return { at: text.length, closed: false }
}

/** The word of another notation that stands where JSON ends; nothing that could be somebody's text. */
const FOREIGN = /(?:True|False|None|NaN|-?Infinity|undefined)\b|'|\/\/|\/\*|#/y

/** What is wrong at an index that `jsonErrorAt` gave, with line and column from 1; the text itself is never in it. */
export function describeJsonError(text: string, at: number): string {
  const line = text.slice(0, at).split('\n')
  const place = `line ${line.length}, column ${(line.at(-1) ?? '').length + 1}`
  if (at >= text.length) return `it ends too early, at ${place}`
  FOREIGN.lastIndex = at
  const word = FOREIGN.exec(text)?.[0]
  const hint = word === undefined ? '' : `: ${word} is not JSON${HINTS.get(word) ?? ''}`
  return `${place}${hint}`
}

const HINTS: ReadonlyMap<string, string> = new Map([
  ['True', ', true is'],
  ['False', ', false is'],
  ['None', ', null is'],
  ['undefined', ', null is'],
  ["'", ', texts stand in "'],
  ['//', ', it has no comments'],
  ['/*', ', it has no comments'],
  ['#', ', it has no comments'],
])
