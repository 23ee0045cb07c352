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

/** Votes with text that one call tokenises: enough to make the way there cheap. */
const VOTES = 32
/** Rather fewer of long ones: what one call takes counts against the budget of one vote. */
const BYTES = 128 * 1024

/**
 * Votes that are admitted and wait to be tokenised, in the order in which they train. A vote stays here until it is an
 * event, a dead letter or dropped, so that a checkpoint written meanwhile holds it, as the vote that it is.
 */
export class TextQueue implements Serializable<TextQueueState> {
  private votes = new Fifo<Waiting>()
  private waiting: (() => void)[] = []

  /** @param memory  where the memory of the votes is counted */
  constructor(private readonly memory = new MemoryAccount()) {}

  get count(): number {
    return this.votes.size
  }

  push(vote: Feedback): void {
    const bytes = feedbackBytes(vote)
    this.votes.push({ vote, bytes })
    this.memory.add(bytes)
  }

  /** Takes out the first one. */
  shift(): void {
    const first = this.votes.shift()
    if (first) this.memory.remove(first.bytes)
    if (this.votes.size === 0) for (const resolve of this.waiting.splice(0)) resolve()
  }

  /** The votes at the head that one call is made for, those between them that need none included. */
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

  /** Takes out the votes that shall not train after all. */
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
