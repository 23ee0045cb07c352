import { BACKSLASH, COMMA, closes, isSpace, opens, QUOTE } from './bytes.js'

/** Finds where one JSON value ends, byte by byte. */
export class ValueEnd {
  #depth = 0
  #inString = false
  #afterBackslash = false
  #inScalar = false

  /** Whether the byte is inside the value, its last one, or comes after it: only a comma, bracket or space ends a number. */
  take(byte: number): 'inside' | 'last' | 'after' {
    if (this.#inString) return this.#takeOfString(byte)
    if (this.#inScalar) return byte === COMMA || closes(byte) || isSpace(byte) ? 'after' : 'inside'
    if (byte === QUOTE) this.#inString = true
    else if (opens(byte)) this.#depth++
    else if (closes(byte)) return --this.#depth <= 0 ? 'last' : 'inside'
    else if (this.#depth === 0) this.#inScalar = true
    return 'inside'
  }

  #takeOfString(byte: number): 'inside' | 'last' {
    if (this.#afterBackslash) this.#afterBackslash = false
    else if (byte === BACKSLASH) this.#afterBackslash = true
    else if (byte === QUOTE) {
      this.#inString = false
      if (this.#depth === 0) return 'last'
    }
    return 'inside'
  }
}
