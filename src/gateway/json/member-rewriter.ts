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

/** A member with its bytes. */
interface Watched {
  readonly depth: number
  readonly name: Buffer
  readonly value: Buffer
}

const NOTHING = Buffer.alloc(0)

/**
 * Replaces the values of members in JSON that arrives in pieces. Every other byte passes as it came, in the call that
 * brings it, so a piece may end inside a character, a string or a number. What is not JSON passes unchanged; text around
 * it, such as `data: `, does not matter. Names that are written with escapes are not recognised.
 *
 * Every byte of every answer goes through here: the loops over bytes hold no calls, and no text is made of them.
 */
export class MemberRewriter {
  readonly #watched: readonly Watched[]
  readonly #deepest: number
  readonly #lines: boolean
  #insert: string | null
  #state: 'between' | 'string' | 'name' | 'colon' | 'value' | 'skip' = 'between'
  /** Open objects and arrays. */
  #depth = 0
  /** Whether each open one is an object, as deep as anything is replaced. */
  #isObject: boolean[] = []
  #isNameNext = false
  /** As much of the present name as has come; what is longer than this is none that is watched. */
  readonly #name: Uint8Array
  #nameLength = 0
  #afterBackslash = false
  #replacement: Buffer = NOTHING
  #valueEnd = new ValueEnd()
  /** What goes out of the present piece, and where in it the bytes begin that have not gone out; −1: none do. */
  #out: Buffer[] = []
  #from = 0

  constructor(replacements: readonly Replacement[], { insert, lines = false }: RewriterOptions = {}) {
    this.#watched = replacements.map(({ depth, name, value }) => {
      return { depth, name: Buffer.from(name), value: Buffer.from(value) }
    })
    this.#name = new Uint8Array(Math.max(0, ...this.#watched.map(({ name }) => name.length)))
    this.#deepest = Math.max(0, ...replacements.map(({ depth }) => depth))
    this.#insert = insert ?? null
    this.#lines = lines
  }

  /** What goes out for these bytes; the same object if nothing changes. */
  push(piece: Buffer): Buffer {
    this.#out = []
    this.#from = this.#state === 'skip' ? -1 : 0
    for (let at = 0; at < piece.length; ) at = this.#pass(piece, at)
    if (this.#out.length === 0 && this.#from === 0) return piece
    this.#flush(piece, piece.length)
    return Buffer.concat(this.#out)
  }

  /** Passes bytes from `at` on; returns the first one that is to be taken in another state. */
  #pass(piece: Buffer, at: number): number {
    switch (this.#state) {
      case 'between':
        return this.#passBetween(piece, at)
      case 'string':
        return this.#passString(piece, at)
      case 'name':
        return this.#passName(piece, at)
      case 'skip':
        return this.#skip(piece, at)
      default:
        return this.#passToValue(piece, at)
    }
  }

  #passBetween(piece: Buffer, start: number): number {
    for (let at = start; at < piece.length; at++) {
      const byte = piece[at] as number
      if (byte === QUOTE) return this.#beginString(at)
      if (byte === COMMA) this.#isNameNext = this.#depth <= this.#deepest && this.#isObject[this.#depth] === true
      else if (opens(byte)) this.#open(piece, at)
      else if (closes(byte)) {
        this.#depth = Math.max(0, this.#depth - 1)
        this.#isNameNext = false
      } else if (this.#endsLine(byte)) return this.#endLine(at)
    }
    return piece.length
  }

  #open(piece: Buffer, at: number): void {
    const isObject = piece[at] === OPEN_OBJECT
    this.#depth++
    if (this.#depth <= this.#deepest) this.#isObject[this.#depth] = isObject
    this.#isNameNext = isObject
    if (isObject && this.#insert !== null) this.#insertAt(piece, at + 1)
  }

  #beginString(at: number): number {
    this.#state = this.#isNameNext && this.#depth <= this.#deepest ? 'name' : 'string'
    this.#nameLength = 0
    this.#isNameNext = false
    return at + 1
  }

  #passName(piece: Buffer, start: number): number {
    for (let at = start; at < piece.length; at++) {
      const byte = piece[at] as number
      if (byte === QUOTE) return this.#endName(at)
      if (this.#endsLine(byte)) return this.#endLine(at)
      if (byte === BACKSLASH || this.#nameLength === this.#name.length) {
        this.#state = 'string'
        return at
      }
      this.#name[this.#nameLength++] = byte
    }
    return piece.length
  }

  #endName(at: number): number {
    const found = this.#watched.find(({ depth, name }) => depth === this.#depth && this.#isName(name))
    this.#state = found === undefined ? 'between' : 'colon'
    this.#replacement = found?.value ?? NOTHING
    return at + 1
  }

  #isName(name: Buffer): boolean {
    if (name.length !== this.#nameLength) return false
    for (let i = 0; i < name.length; i++) if (name[i] !== this.#name[i]) return false
    return true
  }

  /** From the end of a name to the first byte of its value. */
  #passToValue(piece: Buffer, start: number): number {
    for (let at = start; at < piece.length; at++) {
      const byte = piece[at] as number
      if (this.#endsLine(byte)) return this.#endLine(at)
      if (isSpace(byte)) continue
      if (this.#state === 'colon' && byte === COLON) this.#state = 'value'
      else {
        if (this.#state === 'value') this.#beginSkip(piece, at)
        else this.#state = 'between'
        return at
      }
    }
    return piece.length
  }

  #beginSkip(piece: Buffer, at: number): void {
    this.#flush(piece, at)
    this.#out.push(this.#replacement)
    this.#valueEnd = new ValueEnd()
    this.#state = 'skip'
  }

  #skip(piece: Buffer, start: number): number {
    for (let at = start; at < piece.length; at++) {
      const byte = piece[at] as number
      if (this.#endsLine(byte)) {
        this.#from = at
        return this.#endLine(at)
      }
      const place = this.#valueEnd.take(byte)
      if (place === 'inside') continue
      this.#state = 'between'
      this.#from = place === 'last' ? at + 1 : at
      return this.#from
    }
    return piece.length
  }

  #passString(piece: Buffer, start: number): number {
    let isEscaped = this.#afterBackslash
    for (let at = start; at < piece.length; at++) {
      const byte = piece[at] as number
      if (this.#endsLine(byte)) return this.#endLine(at)
      if (isEscaped) isEscaped = false
      else if (byte === BACKSLASH) isEscaped = true
      else if (byte === QUOTE) {
        this.#state = 'between'
        this.#afterBackslash = false
        return at + 1
      }
    }
    this.#afterBackslash = isEscaped
    return piece.length
  }

  #endsLine(byte: number): boolean {
    return this.#lines && (byte === NEWLINE || byte === RETURN)
  }

  #endLine(at: number): number {
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
