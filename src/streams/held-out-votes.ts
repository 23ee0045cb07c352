import type { Feedback, HeldOutVote, Serializable, TrainingEvent } from '../events/types.js'
import { KeyHash } from './collections/key-hash.js'
import { heldOutBytes } from './event-bytes.js'
import { MemoryAccount } from './memory-ledger.js'
import { keyOf } from './prompt-hash.js'
import { voteKey } from './vote-ledger.js'

/** With what a later vote is recognised that changes this one or takes it back. */
export interface KeptVote extends HeldOutVote {
  /** When the vote counts as written, milliseconds since the epoch. */
  readonly timestamp: number
  /** Hash of voter and completion; 0 for a bare row, which nothing can change. */
  readonly voter: number
  /** Hash of the completion; 0 for a bare row. */
  readonly completion: number
}

export interface HeldOutState {
  /** Of each label in order of arrival. */
  readonly votes: readonly KeptVote[]
  /** Retracted while they were being tokenised, by partition and offset: not to be kept when they arrive. */
  readonly retracted: readonly string[]
}

export interface HeldOutOptions {
  /** Votes of each label that are kept: the newest. */
  readonly perLabel: number
  /** Older votes are forgotten, milliseconds; 0 keeps votes of any age. */
  readonly maxAge: number
  /** Memory for them; above it the oldest are forgotten. @default no bound */
  readonly maxBytes?: number
  /** The account that counts their memory. @default an account of its own */
  readonly memory?: MemoryAccount
}

/** The newest held-out votes of each label, each as its voter last gave it. */
export class HeldOutVotes implements Serializable<HeldOutState> {
  readonly #hash = new KeyHash()
  readonly #ups = new Set<KeptVote>()
  readonly #downs = new Set<KeptVote>()
  readonly #byVoter = new Map<number, KeptVote>()
  #retracted = new Set<string>()
  readonly #memory: MemoryAccount

  constructor(private readonly options: HeldOutOptions) {
    this.#memory = options.memory ?? new MemoryAccount()
  }

  /** How many are kept. */
  get counts(): { readonly up: number; readonly down: number } {
    return { up: this.#ups.size, down: this.#downs.size }
  }

  /** Estimated memory of the votes. */
  get bytes(): number {
    return this.#memory.bytes
  }

  /** Keeps the vote of an event that is held out. */
  push(event: TrainingEvent): void {
    if (this.#retracted.delete(placeOf(event))) return
    const { label, weight, promptTokens, completionTokens, timestamp, heldOut = 0 } = event
    const keys = { voter: this.#voterOf(event), completion: this.#completionOf(event.subject) }
    this.#add({ label, weight, promptTokens, completionTokens, conversation: heldOut, timestamp, ...keys })
  }

  /**
   * Forgets what a vote takes back: a retraction whatever it retracts, and another label the earlier one at once, as the
   * new vote may wait or count as a repeat.
   *
   * @param waiting  what is being tokenised
   */
  takeBack(vote: Feedback, waiting: () => Iterable<Feedback>): void {
    const { subject, label, ofAllUsers } = vote
    if (subject === null || this.options.perLabel === 0) return
    if (ofAllUsers) {
      const completion = this.#completionOf(subject)
      this.dropWhere((kept) => kept.completion === completion)
    } else if (this.#byVoter.size > 0) {
      const kept = this.#byVoter.get(this.#voterOf(vote))
      if (kept && kept.label !== label) this.#remove(kept)
    }
    if (label === null) this.#retract(vote, waiting())
  }

  /** What is kept. @param now  milliseconds since the epoch */
  recent(now: number): readonly HeldOutVote[] {
    this.forget(now)
    return this.#all()
  }

  /** Forgets the votes that are too old. @param now  milliseconds since the epoch */
  forget(now: number): void {
    const { maxAge } = this.options
    if (maxAge > 0) this.dropWhere(({ timestamp }) => timestamp < now - maxAge)
  }

  /** Forgets the votes that `refused` selects. */
  dropWhere(refused: (vote: KeptVote) => boolean): void {
    for (const vote of this.#all()) if (refused(vote)) this.#remove(vote)
  }

  snapshot(): HeldOutState {
    return { votes: this.#all(), retracted: [...this.#retracted] }
  }

  restore({ votes, retracted }: HeldOutState): void {
    this.dropWhere(() => true)
    this.#retracted = new Set(retracted)
    for (const vote of votes) this.#add(vote)
  }

  #all(): readonly KeptVote[] {
    return [...this.#ups, ...this.#downs]
  }

  #add(vote: KeptVote): void {
    const { perLabel, maxBytes = Number.POSITIVE_INFINITY } = this.options
    const earlier = this.#byVoter.get(vote.voter)
    if (earlier) this.#remove(earlier)
    const votes = vote.label ? this.#ups : this.#downs
    votes.add(vote)
    if (vote.voter !== NOBODY) this.#byVoter.set(vote.voter, vote)
    this.#memory.add(heldOutBytes(vote))
    if (votes.size > perLabel) this.#removeOldest(votes)
    while (this.#memory.bytes > maxBytes)
      this.#removeOldest(this.#ups.size > this.#downs.size ? this.#ups : this.#downs)
  }

  #removeOldest(votes: ReadonlySet<KeptVote>): void {
    const [oldest] = votes
    if (oldest) this.#remove(oldest)
  }

  #remove(vote: KeptVote): void {
    const votes = vote.label ? this.#ups : this.#downs
    votes.delete(vote)
    if (this.#byVoter.get(vote.voter) === vote) this.#byVoter.delete(vote.voter)
    this.#memory.remove(heldOutBytes(vote))
  }

  /** Also what was retracted before and is still on its way. */
  #retract(retraction: Feedback, waiting: Iterable<Feedback>): void {
    const retracted = new Set<string>()
    for (const vote of waiting) {
      if (vote.heldOut === undefined) continue
      const place = placeOf(vote)
      if (this.#retracted.has(place) || takesBack(retraction, vote)) retracted.add(place)
    }
    this.#retracted = retracted
  }

  #voterOf(vote: Pick<Feedback, 'source' | 'subject' | 'user'>): number {
    return vote.subject === null ? NOBODY : keyOf(this.#hash.of(voteKey(vote)))
  }

  #completionOf(subject: string | null): number {
    return subject === null ? NOBODY : keyOf(this.#hash.of(subject))
  }
}

const NOBODY = 0

const placeOf = ({ position }: Pick<Feedback, 'position'>): string => `${position.partition}:${position.offset}`

const takesBack = ({ subject, source, user, ofAllUsers }: Feedback, vote: Feedback): boolean =>
  vote.subject === subject && (ofAllUsers === true || (vote.source === source && vote.user === user))
