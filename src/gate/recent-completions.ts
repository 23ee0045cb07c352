import type { TokenPair } from '../text/tokenise-pairs.js'

/** How many are kept: enough for an interval, and a few packed batches of work. */
export const RECENT_COMPLETIONS = 64

/** The prompts and completions that have trained lately, newest last. */
export class RecentCompletions {
  #pairs: readonly TokenPair[] = []
  #filled = false

  /** @param journaled  those of the steps before this process, newest first */
  constructor(private readonly journaled: () => Promise<readonly TokenPair[]>) {}

  trained(events: readonly TokenPair[]): void {
    const fresh = events.map(({ promptTokens, completionTokens }) => ({ promptTokens, completionTokens }))
    this.#pairs = [...this.#pairs, ...fresh].slice(-RECENT_COMPLETIONS)
  }

  /** @throws what reading the journal throws */
  async pairs(): Promise<readonly TokenPair[]> {
    if (this.#pairs.length < RECENT_COMPLETIONS && !this.#filled) {
      const older = await this.journaled()
      const missing = RECENT_COMPLETIONS - this.#pairs.length
      this.#pairs = [...older.slice(0, Math.max(0, missing)).reverse(), ...this.#pairs].slice(-RECENT_COMPLETIONS)
      this.#filled = true
    }
    return this.#pairs
  }
}
