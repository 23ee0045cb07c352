import { BcodError } from '../errors.js'
import { arrayPrefix, nextOf } from './array-elements.js'
import type { Line } from './line.js'

const [QUOTE, BACKSLASH, COMMA, COLON, OPENING_BRACKET] = [0x22, 0x5c, 0x2c, 0x3a, 0x5b]
const OPENS = new Set([OPENING_BRACKET, 0x7b])
const CLOSES = new Set([0x5d, 0x7d])

/** An element of a list, with its number in it in place of a line's. */
export interface Element extends Line {
  readonly list: string
}

/**
 * The elements of arrays that are members of a file's one JSON object, as in `arrayElements`; other members are passed
 * over. Nothing is in memory as a whole.
 *
 * @param lists  names of the members
 * @throws FEEDBACK_TOO_LARGE, FEEDBACK_NOT_JSON if an array, or the object itself, is broken
 */
export async function* listElements(
  chunks: AsyncIterable<Buffer>,
  path: string,
  { lists, maxBytes }: { readonly lists: readonly string[]; readonly maxBytes: number },
): AsyncGenerator<Element> {
  const source = chunks[Symbol.asyncIterator]()
  const members = new Members(lists)
  try {
    for (let chunk = await nextOf(source); chunk !== undefined; ) {
      const found = members.find(chunk)
      if (found === null) {
        chunk = await nextOf(source)
        continue
      }
      const { list, at } = found
      for (const array = arrayPrefix(ahead(chunk.subarray(at), source), path, maxBytes); ; ) {
        const next = await array.next()
        chunk = next.done ? next.value.rest : chunk
        if (next.done) break
        yield { ...next.value, list }
      }
    }
    if (!members.ended) throw new BcodError('FEEDBACK_NOT_JSON', 'the object ends too early', { place: path })
  } finally {
    await source.return?.()
  }
}

/** A source with a chunk put back before it. */
function ahead(first: Buffer, source: AsyncIterator<Buffer>): AsyncIterator<Buffer> {
  let isFirst = true
  return {
    next: async () => {
      if (!isFirst) return source.next()
      isFirst = false
      return { value: first, done: false }
    },
  }
}

/** Walks through an object, over as many chunks as it has, and stops at the arrays that are wanted. */
class Members {
  #depth = 0
  #hasBegun = false
  #inString = false
  #escaped = false
  /** The bytes of a string among the members: of a name, if a colon follows. */
  #string: number[] = []
  #member: string | null = null

  constructor(private readonly wanted: readonly string[]) {}

  /** Whether the object has come to its end. */
  get ended(): boolean {
    return this.#hasBegun && this.#depth === 0
  }

  /** Where a wanted array begins; null if none does in this chunk. What comes next must be what follows the array. */
  find(chunk: Buffer): { readonly list: string; readonly at: number } | null {
    for (let at = 0; at < chunk.length; at++) {
      const byte = chunk[at] as number
      if (this.#inString) this.#readString(byte)
      else if (byte === QUOTE) {
        this.#inString = true
        this.#string = []
      } else if (byte === OPENING_BRACKET && this.#member !== null && this.wanted.includes(this.#member)) {
        const list = this.#member
        this.#member = null
        return { list, at }
      } else if (OPENS.has(byte)) this.#step(1)
      else if (CLOSES.has(byte)) this.#step(-1)
      else if (this.#depth === 1 && byte === COLON) this.#member = nameOf(this.#string)
      else if (this.#depth === 1 && byte === COMMA) this.#member = null
    }
    return null
  }

  #step(by: 1 | -1): void {
    this.#hasBegun = true
    this.#member = null
    this.#depth += by
  }

  #readString(byte: number): void {
    if (this.#escaped) this.#escaped = false
    else if (byte === BACKSLASH) this.#escaped = true
    else if (byte === QUOTE) this.#inString = false
    // no list has a longer name
    if (this.#inString && this.#depth === 1 && this.#string.length < MAX_NAME_BYTES) this.#string.push(byte)
  }
}

const MAX_NAME_BYTES = 256

const nameOf = (bytes: readonly number[]): string => Buffer.from(bytes).toString()
