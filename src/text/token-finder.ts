interface Node {
  readonly next: Map<number, Node>
  ends: boolean
}

/** Finds texts of a list in other texts: at each place the longest, as tokenizers find their added tokens. */
export class TokenFinder {
  readonly #root: Node = { next: new Map(), ends: false }
  readonly #tokens: readonly string[]
  readonly #longest: number
  /** What a token may end with, itself left out. */
  readonly #suffixes: ReadonlySet<string>

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens.filter((token) => token !== '')
    this.#longest = Math.max(0, ...this.#tokens.map(({ length }) => length))
    this.#suffixes = new Set(this.#tokens.flatMap((token) => Array.from(token, (_, i) => token.slice(i + 1))))
    for (const token of this.#tokens) {
      let node = this.#root
      for (let i = 0; i < token.length; i++) {
        const code = token.charCodeAt(i)
        const next = node.next.get(code) ?? { next: new Map(), ends: false }
        node.next.set(code, next)
        node = next
      }
      node.ends = true
    }
  }

  /** Start and end of each token in the text, from left to right. */
  *matches(text: string): Generator<readonly [number, number]> {
    for (let start = 0; start < text.length; ) {
      const end = this.#longestAt(text, start)
      if (end > start) yield [start, end]
      start = Math.max(end, start + 1)
    }
  }

  /**
   * Where the last token starts at which the text is split whatever is written behind it; 0 if there is none. No longer
   * token begins before it that only lacks what may be written.
   */
  lastSplit(text: string): number {
    let split = 0
    for (let start = 0; start < text.length; ) {
      const end = this.#longestAt(text, start)
      if (end > start) split = start
      if (this.#goesOn(text, start)) break
      start = Math.max(end, start + 1)
    }
    return split
  }

  count(text: string): number {
    let count = 0
    for (const _ of this.matches(text)) count += 1
    return count
  }

  /** Whether what is written before the text could make a token of its beginning, or of all of it. */
  endsWithin(text: string): boolean {
    for (let length = Math.min(text.length, this.#longest - 1); length > 0; length--) {
      if (this.#suffixes.has(text.slice(0, length))) return true
    }
    return text.length < this.#longest && text !== '' && this.#tokens.some((token) => token.includes(text))
  }

  /** Whether what is written behind the text could make a token of its end. */
  beginsWithin(text: string): boolean {
    for (let start = Math.max(0, text.length - this.#longest + 1); start < text.length; start++) {
      if (this.#goesOn(text, start)) return true
    }
    return false
  }

  /** Whether all of the text from here is the beginning of a token. */
  #goesOn(text: string, start: number): boolean {
    if (text.length - start >= this.#longest) return false
    let node: Node | undefined = this.#root
    for (let i = start; i < text.length && node; i++) node = node.next.get(text.charCodeAt(i))
    return node !== undefined && node.next.size > 0
  }

  /** Where the longest token that starts here ends; the start where none does. */
  #longestAt(text: string, start: number): number {
    let end = start
    let node: Node | undefined = this.#root
    for (let i = start; i < text.length; i++) {
      node = node.next.get(text.charCodeAt(i))
      if (!node) break
      if (node.ends) end = i + 1
    }
    return end
  }
}
