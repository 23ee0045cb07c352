/** What waits at one place, in bytes of memory. Whoever lets something wait adds its bytes, and removes the same number. */
export class MemoryAccount {
  private sum = 0

  get bytes(): number {
    return this.sum
  }

  add(bytes: number): void {
    this.sum += bytes
  }

  remove(bytes: number): void {
    this.sum -= bytes
  }
}

/**
 * All that was read and has not come to its end, in bytes of memory as `event-bytes.ts` reckons them: one account for
 * each place on the way. Reading pauses by the sum of them (`stream.pendingBytes`), so a stage that lets events wait
 * needs an account here.
 */
export class MemoryLedger {
  /** Records of a fetch that have not gone through the stages: the bytes of the fetch. */
  readonly fetched = new MemoryAccount()
  /** Votes that are held back. */
  readonly held = new MemoryAccount()
  /** Votes on their way through the tokenizer. */
  readonly tokenising = new MemoryAccount()
  /** Events that wait for a batch, or are in the step under way. */
  readonly batching = new MemoryAccount()
  /** Dead letters that their topic has not acknowledged, as far as they are in memory. */
  readonly letters = new MemoryAccount()

  /** What has gone through a stage: everything but what was only fetched. */
  get taken(): number {
    return this.held.bytes + this.tokenising.bytes + this.batching.bytes + this.letters.bytes
  }

  byPlace(): Readonly<Record<string, number>> {
    const { fetched, held, tokenising, batching, letters } = this
    return {
      ...{ fetched: fetched.bytes, held: held.bytes, tokenising: tokenising.bytes },
      ...{ batching: batching.bytes, letters: letters.bytes },
    }
  }
}
