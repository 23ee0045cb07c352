/** Bytes of memory waiting in one stage. The stage adds the bytes of what it keeps and removes the same number. */
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
 * Memory of everything that was read and is not acknowledged, and of the held-out votes that are kept, in bytes as `event-bytes.ts` estimates them, with an
 * account for each stage. Reading pauses by their sum (`stream.pendingBytes`), so every stage that keeps events needs an
 * account here.
 */
export class MemoryLedger {
  /** Records that were fetched and wait because reading is paused. */
  readonly fetched = new MemoryAccount()
  /** Votes in hold-back. */
  readonly held = new MemoryAccount()
  /** Votes waiting for the tokenizer. */
  readonly tokenising = new MemoryAccount()
  /** Events waiting for a batch or in the current step. */
  readonly batching = new MemoryAccount()
  /** Held-out votes that are kept for evaluation. */
  readonly heldOut = new MemoryAccount()
  /** Dead letters in memory that their topic has not acknowledged. */
  readonly letters = new MemoryAccount()

  /** Everything but what was only fetched. */
  get taken(): number {
    const { held, tokenising, batching, heldOut, letters } = this
    return held.bytes + tokenising.bytes + batching.bytes + heldOut.bytes + letters.bytes
  }

  byPlace(): Readonly<Record<string, number>> {
    const { fetched, held, tokenising, batching, heldOut, letters } = this
    return {
      ...{ fetched: fetched.bytes, held: held.bytes, tokenising: tokenising.bytes },
      ...{ batching: batching.bytes, held_out: heldOut.bytes, letters: letters.bytes },
    }
  }
}
