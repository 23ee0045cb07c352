import { BACKSLASH, COLON, COMMA, closes, isSpace, NEWLINE, OPEN_OBJECT, opens, QUOTE, RETURN } from './bytes.js'
import { ValueEnd } from './value-end.js'

/** One member whose value is replaced wherever it stands at that depth: `{"id": …}` is at depth 1. */
export interface Replacement {
  readonly depth: number
  readonly name: string
  /** JSON text. */
  readonly value: string
}

export interface RewriterOptions {
  /** Text that goes behind the first `{`, such as `"stream":true,`. @default none */
  readonly insert?: string
  /** The JSON stands on single lines, as in an event stream: whatever is open at the end of one ends with it. */
  readonly lines?: boolean
}

/** Longer names are none that is watched. */
const LONGEST_NAME = 40

/**
 * Replaces the values of members in JSON that arrives in pieces. Every other byte passes as it came, in the call that
 * brings it, so a piece may end inside a character, a string or a number. What is not JSON passes unchanged; text around
 * it, such as `data: `, does not matter. Names that are written with escapes are not recognised.
 */
export class MemberRewriter {
  readonly #replacements: readonly Replacement[]
  readonly #deepest: number
  readonly #lines: boolean
  #insert: string | null
  #state: 'between' | 'string' | 'name' | 'colon' | 'value' | 'skip' = 'between'
  /** Open objects and arrays. */
  #depth = 0
  /** Whether each open one is an object, as deep as anything is replaced. */
  #isObject: boolean[] = []
  #isNameNext = false
  #name = ''
  #afterBackslash = false
  #replacement = ''
  #valueEnd = new ValueEnd()
  /** What goes out of the present piece, and where in it the bytes begin that have not gone out; −1: none do. */
  #out: Buffer[] = []
  #from = 0

  constructor(replacements: readonly Replacement[], { insert, lines = false }: RewriterOptions = {}) {
    this.#replacements = replacements
    this.#deepest = Math.max(0, ...replacements.map(({ depth }) => depth))
    this.#insert = insert ?? null
    this.#lines = lines
  }

  /** What goes out for these bytes; the same object if nothing changes. */
  push(piece: Buffer): Buffer {
    this.#out = []
    this.#from = this.#state === 'skip' ? -1 : 0
    let at = 0
    while (at < piece.length) at = this.#state === 'string' ? this.#passString(piece, at) : this.#take(piece, at)
    if (this.#out.length === 0 && this.#from === 0) return piece
    this.#flush(piece, piece.length)
    return Buffer.concat(this.#out)
  }

  /** Takes the byte at `at`; returns the next one to take, which may be the same in another state. */
  #take(piece: Buffer, at: number): number {
    const byte = piece[at] as number
    if (this.#lines && (byte === NEWLINE || byte === RETURN)) return this.#endLine(at)
    switch (this.#state) {
      case 'name':
        this.#takeOfName(byte)
        return at + 1
      case 'colon':
        if (byte === COLON) this.#state = 'value'
        else if (!isSpace(byte)) this.#state = 'between'
        return byte === COLON || isSpace(byte) ? at + 1 : at
      case 'value':
        if (isSpace(byte)) return at + 1
        this.#flush(piece, at)
        this.#out.push(Buffer.from(this.#replacement))
        this.#valueEnd = new ValueEnd()
        this.#state = 'skip'
        return at
      case 'skip':
        return this.#skip(byte, at)
      default:
        return this.#takeBetween(piece, at)
    }
  }

  #takeBetween(piece: Buffer, at: number): number {
    const byte = piece[at] as number
    if (byte === QUOTE) {
      const isWatched = this.#isNameNext && this.#depth <= this.#deepest
      this.#state = isWatched ? 'name' : 'string'
      this.#name = ''
      this.#isNameNext = false
    } else if (opens(byte)) {
      this.#depth++
      if (this.#depth <= this.#deepest) this.#isObject[this.#depth] = byte === OPEN_OBJECT
      this.#isNameNext = byte === OPEN_OBJECT
      if (byte === OPEN_OBJECT && this.#insert !== null) this.#insertAt(piece, at + 1)
    } else if (closes(byte)) {
      this.#depth = Math.max(0, this.#depth - 1)
      this.#isNameNext = false
    } else if (byte === COMMA) this.#isNameNext = this.#depth <= this.#deepest && this.#isObject[this.#depth] === true
    return at + 1
  }

  #takeOfName(byte: number): void {
    if (byte === QUOTE) {
      const found = this.#replacements.find(({ depth, name }) => depth === this.#depth && name === this.#name)
      this.#replacement = found?.value ?? ''
      this.#state = found === undefined ? 'between' : 'colon'
    } else if (byte === BACKSLASH || this.#name.length === LONGEST_NAME) {
      this.#afterBackslash = byte === BACKSLASH
      this.#state = 'string'
    } else this.#name += String.fromCharCode(byte)
  }

  /** Jumps to the end of a string, which may be an image of megabytes. */
  #passString(piece: Buffer, start: number): number {
    let at = start
    if (this.#afterBackslash) {
      this.#afterBackslash = false
      at++
    }
    const quote = piece.indexOf(QUOTE, at)
    const end = quote < 0 ? piece.length : quote
    const line = this.#lines ? piece.subarray(at, end).indexOf(NEWLINE) : -1
    if (line >= 0) return this.#endLine(at + line)
    let backslashes = 0
    while (end - backslashes > at && piece[end - backslashes - 1] === BACKSLASH) backslashes++
    const isEscaped = backslashes % 2 === 1
    if (quote < 0) this.#afterBackslash = isEscaped
    else if (!isEscaped) this.#state = 'between'
    return end + 1
  }

  #skip(byte: number, at: number): number {
    const place = this.#valueEnd.take(byte)
    if (place === 'inside') return at + 1
    this.#state = 'between'
    this.#from = place === 'last' ? at + 1 : at
    return this.#from
  }

  #endLine(at: number): number {
    if (this.#state === 'skip') this.#from = at
    this.#state = 'between'
    this.#depth = 0
    this.#isNameNext = false
    this.#afterBackslash = false
    return at + 1
  }

  #insertAt(piece: Buffer, at: number): void {
    this.#flush(piece, at)
    this.#out.push(Buffer.from(this.#insert as string))
    this.#from = at
    this.#insert = null
  }

  /** Lets out what has not gone out before `end`. */
  #flush(piece: Buffer, end: number): void {
    if (this.#from >= 0) this.#out.push(piece.subarray(this.#from, end))
    this.#from = -1
  }
}
