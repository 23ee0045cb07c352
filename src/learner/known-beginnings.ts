import { createHash } from 'node:crypto'

/** What the reference computes of a beginning. */
export interface Known {
  /** Keys, rotated, and values of every layer, f32[L, G, P, E]. */
  readonly keys: Float32Array
  readonly values: Float32Array
  /** Sum of the last hidden state, normalised, over its tokens, [D]. */
  readonly sum: Float32Array
}

/** What became of the beginnings that were asked for. */
export interface BeginningCounts {
  readonly known: number
  readonly computed: number
  /** Memory of those that are kept. */
  readonly bytes: number
}

/** What came after `before`; null for nothing. */
export function countsSince(before: BeginningCounts, now: BeginningCounts): BeginningCounts | null {
  const [known, computed] = [now.known - before.known, now.computed - before.computed]
  return known + computed === 0 ? null : { known, computed, bytes: now.bytes }
}

/**
 * Beginnings of a frozen reference, by their tokens. Those that were not asked for the longest go first. It belongs to a
 * session, whose reference never changes.
 */
export class KnownBeginnings {
  readonly #entries = new Map<string, Known>()
  #bytes = 0
  #found = 0
  #computed = 0

  /** @param limit  in bytes; what is larger is never kept, and with 0 nothing is */
  constructor(private readonly limit: number) {}

  /** Since it was made. */
  get counts(): BeginningCounts {
    return { known: this.#found, computed: this.#computed, bytes: this.#bytes }
  }

  /** @param compute  the same bits whenever it is called with these tokens */
  get(tokens: readonly number[], compute: () => Known): Known {
    const key = createHash('sha256').update(Int32Array.from(tokens)).digest('base64')
    const known = this.#entries.get(key)
    if (known !== undefined) this.#found++
    else this.#computed++
    const entry = known ?? compute()
    this.#forget(key)
    this.#entries.set(key, entry)
    this.#bytes += bytesOf(entry)
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.limit) break
      this.#forget(oldest)
    }
    return entry
  }

  #forget(key: string): void {
    const entry = this.#entries.get(key)
    if (entry === undefined) return
    this.#bytes -= bytesOf(entry)
    this.#entries.delete(key)
  }
}

const bytesOf = ({ keys, values, sum }: Known): number => keys.byteLength + values.byteLength + sum.byteLength
