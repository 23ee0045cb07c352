import type { Serializable } from '../events/types.js'
import { ClusteredRate, type UserVotes } from '../uplift/clustered-rate.js'

/** A vote by hashes of 53 bits: of voter and completion, of the user, of the completion. */
export interface ArmVote {
  readonly key: number
  readonly user: number
  readonly completion: number
  readonly label: boolean
}

export interface ArmVotesState {
  /** Key, user and completion of each vote, 8 bytes each, little-endian, oldest first. */
  readonly keys: Uint8Array
  /** One byte for each vote: 0 down, 1 up, 2 taken back. */
  readonly labels: Uint8Array
  /** Users are kept whose hash, as a fraction, is below it. */
  readonly share: number
}

/** Votes of one user on the answers of one arm that count; a user with more is not heard more. */
export const MOST_OF_A_USER = 100

/** Votes of one arm that are remembered, 25 bytes each in a checkpoint. */
const CAPACITY = 50_000

interface Remembered {
  readonly user: number
  readonly completion: number
  label: boolean | null
}

interface User extends UserVotes {
  /** Votes that are remembered, also those that were taken back. */
  readonly remembered: number
}

const NOBODY: User = { votes: 0, ups: 0, remembered: 0 }
const TAKEN_BACK = 2

/**
 * The votes on the answers of one arm: each user's last opinion on each. When there are more than fit, the votes of half
 * of the users are forgotten, chosen by the hash of the user, and nobody of that half counts any more: what stays is a
 * sample of users, whatever they said.
 */
export class ArmVotes implements Serializable<ArmVotesState> {
  rate = new ClusteredRate()
  readonly #votes = new Map<number, Remembered>()
  readonly #users = new Map<number, User>()
  #share = 1

  constructor(private readonly capacity = CAPACITY) {}

  /** Counts a vote; false if it is not counted: its user has enough, or is not in the sample. */
  add({ key, user, completion, label }: ArmVote): boolean {
    const known = this.#votes.get(key)
    if (known) this.#relabel(known, label)
    if (known || user / 2 ** 53 >= this.#share) return false
    if ((this.#users.get(user)?.remembered ?? 0) >= MOST_OF_A_USER) return false
    this.#remember(key, { user, completion, label })
    while (this.#votes.size > this.capacity) this.#halve()
    return this.#votes.has(key)
  }

  /** A voter says something else on an answer, or nothing more: that counts if the vote on it did. */
  correct(key: number, label: boolean | null): void {
    const known = this.#votes.get(key)
    if (known) this.#relabel(known, label)
  }

  /** Takes back all votes on an answer. */
  takeBack(completion: number): void {
    for (const vote of this.#votes.values()) if (vote.completion === completion) this.#relabel(vote, null)
  }

  snapshot(): ArmVotesState {
    const keys = new Float64Array(3 * this.#votes.size)
    const labels = new Uint8Array(this.#votes.size)
    let i = 0
    for (const [key, { user, completion, label }] of this.#votes) {
      keys.set([key, user, completion], 3 * i)
      labels[i] = label === null ? TAKEN_BACK : Number(label)
      i += 1
    }
    return { keys: new Uint8Array(keys.buffer), labels, share: this.#share }
  }

  restore({ keys, labels, share }: ArmVotesState): void {
    this.rate = new ClusteredRate()
    this.#votes.clear()
    this.#users.clear()
    this.#share = share
    const numbers = new Float64Array(new Uint8Array(keys).buffer)
    for (const [i, label] of labels.entries()) {
      const [key, user, completion] = numbers.subarray(3 * i, 3 * i + 3) as unknown as [number, number, number]
      this.#remember(key, { user, completion, label: label === TAKEN_BACK ? null : label === 1 })
    }
  }

  #remember(key: number, vote: Remembered): void {
    this.#votes.set(key, vote)
    this.#change(vote.user, vote.label, 1)
  }

  #relabel(vote: Remembered, label: boolean | null): void {
    if (vote.label === label) return
    this.#change(vote.user, vote.label, -1)
    vote.label = label
    this.#change(vote.user, label, 1)
  }

  #change(user: number, label: boolean | null, sign: 1 | -1): void {
    const before = this.#users.get(user) ?? NOBODY
    const [votes, ups] = [label === null ? 0 : sign, label === true ? sign : 0]
    const after = { votes: before.votes + votes, ups: before.ups + ups, remembered: before.remembered + sign }
    if (after.remembered === 0) this.#users.delete(user)
    else this.#users.set(user, after)
    this.rate.change(before, after)
  }

  #halve(): void {
    this.#share /= 2
    for (const [key, { user, label }] of this.#votes) {
      if (user / 2 ** 53 < this.#share) continue
      this.#votes.delete(key)
      this.#change(user, label, -1)
    }
  }
}
