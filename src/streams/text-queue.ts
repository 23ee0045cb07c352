import type { Feedback, Serializable } from '../events/types.js'
import { Fifo } from './collections/fifo.js'
import { feedbackBytes } from './event-bytes.js'
import { MemoryAccount } from './memory-ledger.js'

export interface TextQueueState {
  /** In order. */
  readonly votes: readonly Feedback[]
}

interface Waiting {
  readonly vote: Feedback
  readonly bytes: number
}

/** Votes with text per call: enough to amortise the call. */
const VOTES = 32
/** Bytes of text per call: the time of a call counts against the budget of one vote. */
const BYTES = 128 * 1024

/**
 * Admitted votes that wait for the tokenizer, in training order. A vote stays here until it is an event, a dead letter or
 * dropped, so that every checkpoint includes it.
 */
export class TextQueue implements Serializable<TextQueueState> {
  private votes = new Fifo<Waiting>()
  private waiting: (() => void)[] = []

  /** @param memory  the account that counts their memory */
  constructor(private readonly memory = new MemoryAccount()) {}

  get count(): number {
    return this.votes.size
  }

  push(vote: Feedback): void {
    const bytes = feedbackBytes(vote)
    this.votes.push({ vote, bytes })
    this.memory.add(bytes)
  }

  /** Removes the first one. */
  shift(): void {
    const first = this.votes.shift()
    if (first) this.memory.remove(first.bytes)
    if (this.votes.size === 0) for (const resolve of this.waiting.splice(0)) resolve()
  }

  /** The votes at the head for the next call, including those in between that need no tokenizer. */
  first(): readonly Feedback[] {
    const votes: Feedback[] = []
    let texts = 0
    let sum = 0
    for (const { vote, bytes } of this.votes) {
      if (needsText(vote)) {
        if (texts === VOTES || sum >= BYTES) break
        texts += 1
        sum += bytes
      }
      votes.push(vote)
    }
    return votes
  }

  /** Resolves when none waits. */
  async emptied(): Promise<void> {
    if (this.votes.size > 0) await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  /** Removes and returns the votes that `refused` selects. */
  dropWhere(refused: (vote: Feedback) => boolean): readonly Feedback[] {
    const { votes: all } = this.snapshot()
    this.restore({ votes: all.filter((vote) => !refused(vote)) })
    return all.filter(refused)
  }

  snapshot(): TextQueueState {
    return { votes: [...this.votes].map(({ vote }) => vote) }
  }

  restore(state: TextQueueState): void {
    for (const { bytes } of this.votes) this.memory.remove(bytes)
    this.votes = new Fifo()
    for (const vote of state.votes) this.push(vote)
  }
}

/** Whether a vote is anything but token ids. A retraction holds nothing to tokenise. */
export const needsText = ({ label, prompt, completion }: Feedback): boolean =>
  label !== null && (prompt.kind !== 'tokens' || completion.kind !== 'tokens')
