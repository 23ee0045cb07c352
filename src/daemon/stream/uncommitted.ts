/** What stands in a partition behind the beginning of a transaction that is still open. */
export interface UncommittedPart {
  readonly records: number
  /** For how long the end of what can be read has not moved. */
  readonly seconds: number
}

/**
 * Records that the log has and nobody can read yet: an open transaction, maybe another program's, keeps all that was
 * written after its beginning from readers until it ends, or until the broker ends it.
 */
export class Uncommitted {
  readonly #open = new Map<number, { readonly end: number; readonly since: number; readonly records: number }>()

  /** At `now`, a partition could be read up to `readableEnd`, and the log ended at `logEnd`. */
  observe(partition: number, readableEnd: number, logEnd: number, now: number): void {
    const known = this.#open.get(partition)
    if (readableEnd >= logEnd) this.#open.delete(partition)
    else {
      const since = known?.end === readableEnd ? known.since : now
      this.#open.set(partition, { end: readableEnd, since, records: logEnd - readableEnd })
    }
  }

  /** Of each partition that has any. */
  parts(now: number): ReadonlyMap<number, UncommittedPart> {
    return new Map(
      [...this.#open].map(([partition, { since, records }]) => [partition, { records, seconds: (now - since) / 1000 }]),
    )
  }

  clear(): void {
    this.#open.clear()
  }
}
