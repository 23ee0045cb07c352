import { vote } from '../daemon/feedback.js'

interface Sent {
  readonly key: string | null
  readonly value: string | null
  readonly partition: number
}

/** Votes as a product sends them: new, changed, repeated, taken back; sent twice; of no use. */
export class Traffic {
  sent = 0
  #completions = 0
  #ids = 0
  readonly #recent: Sent[] = []

  constructor(
    private readonly random: () => number,
    private readonly partitions: number,
  ) {}

  /** The next burst. */
  next(): Sent[] {
    const burst = Array.from({ length: 1 + this.#below(30) }, () => this.#record())
    this.sent += burst.length
    this.#recent.push(...burst)
    this.#recent.splice(0, this.#recent.length - 500)
    return burst
  }

  #record(): Sent {
    const kind = this.random()
    if (kind < 0.1 && this.#recent.length > 0) return this.#recent[this.#below(this.#recent.length)] as Sent
    if (kind < 0.13)
      return { key: `bad-${this.#ids++}`, value: '{"label":"yes"}', partition: this.#below(this.partitions) }
    if (kind < 0.15) return { key: 'tombstone', value: null, partition: this.#below(this.partitions) }
    const old = kind < 0.4 && this.#completions > 0
    // of a few hundred completions two users change their minds
    const completion = old ? Math.max(0, this.#completions - 1 - this.#below(300)) : this.#completions++
    const label = kind < 0.2 ? null : this.random() < 0.6
    const user = this.random() < 0.8 ? 'ada' : 'bob'
    const id = `vote-${this.#ids++}`
    return vote(completion, { id, label, user, partition: completion % this.partitions })
  }

  #below(limit: number): number {
    return Math.floor(this.random() * limit)
  }
}
