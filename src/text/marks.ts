/**
 * Marks in a text that goes through the chat template, as transformers' `sanitize_control_tokens` sets them: what
 * stands between OPEN and CLOSE is plain text whatever it looks like, and a mark on its own parts what is left and
 * right of it. They are noncharacters of Unicode, which are not for interchange: in a vote's text they become U+FFFD.
 */
export const OPEN = '\ufdd0'
export const CLOSE = '\ufdd1'

const ANY = /[\ufdd0\ufdd1]/
const ALL = /[\ufdd0\ufdd1]/g
const PLAIN = /\ufdd0([^\ufdd0\ufdd1]*)\ufdd1/g

/** A piece of a marked text, without its marks. */
export interface Piece {
  readonly text: string
  /** No control token may come out of it. */
  readonly plain: boolean
}

export const isMarked = (text: string): boolean => ANY.test(text)

/** Text from outside, in which marks mean nothing. */
export const withoutMarks = (text: string): string => (isMarked(text) ? text.replace(ALL, '\ufffd') : text)

/** The text that the marks stand in. */
export const readable = (text: string): string => text.replace(ALL, '')

/** The pieces between marks, the empty ones left out, but for the first, which is never plain. */
export function pieces(text: string): readonly Piece[] {
  const found: Piece[] = []
  let from = 0
  for (const { 0: whole, 1: inside, index } of text.matchAll(PLAIN)) {
    found.push(...parted(text.slice(from, index)), { text: inside!, plain: true })
    from = index + whole.length
  }
  found.push(...parted(text.slice(from)))
  return found.filter((piece, i) => i === 0 || piece.text !== '')
}

const parted = (text: string): Piece[] => text.split(ALL).map((part) => ({ text: part, plain: false }))
