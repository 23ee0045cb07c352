import type { Move } from '../adapters/moves/move.js'
import { type ArmName, routingOf } from '../adapters/registry/routing.js'
import { versionStep } from '../adapters/versions/version.js'
import { positionId } from '../events/position.js'
import type { Feedback, Serializable } from '../events/types.js'
import { type Difference, differenceOf } from '../uplift/difference.js'
import { armOfVote, type Held, type Unmatched } from './arm-of-vote.js'
import { ArmVotes, type ArmVotesState } from './arm-votes.js'
import { KeyHash } from './collections/key-hash.js'
import { hashOfConversation, keyOf } from './prompt-hash.js'
import { voteKey } from './vote-ledger.js'

export interface ArmTallyOptions {
  /** Whether there may be a canary or a control. */
  readonly isOn: boolean
  /** Uplift is measured over periods of this length, milliseconds. */
  readonly period: number
  readonly alpha: number
  /** The difference of rates for which intervals are to be narrow. */
  readonly margin: number
  /** @default that of `ArmVotes` */
  readonly capacity?: number
}

/** What becomes of a vote. `isNew`: it is not a vote that counts already, or one too many of its user. */
export type Counted = { readonly arm: ArmName; readonly isNew: boolean } | { readonly unmatched: Unmatched }

/** Thumbs-up rate of live less that of control. */
export interface Uplift extends Difference {
  /** When the period began, milliseconds since the epoch. */
  readonly began: number
}

/** The canary's test: its votes and those of live since it began. */
export interface Trial {
  /** Counts the canaries of the registry. */
  readonly number: number
  readonly canary: ArmVotes
  readonly live: ArmVotes
}

export interface ArmTallyState {
  readonly trial: { readonly number: number; readonly canary: ArmVotesState; readonly live: ArmVotesState } | null
  /** Of the first vote of the period, milliseconds since the epoch; null before it. */
  readonly began: number | null
  /** What control gets, as JSON. */
  readonly control: string
  readonly ofControl: ArmVotesState
  readonly ofLive: ArmVotesState
  readonly last: Uplift | null
  /** Steps of the versions that are or were live. */
  readonly wereLive: readonly number[]
}

/** Versions that were live are remembered up to this number; a week of one each half minute. */
const MOST_LIVE = 20_000

/** Votes by arm: for the test of a canary, and for the uplift of live over control. Deterministic in the votes' order. */
export class ArmTally implements Serializable<ArmTallyState> {
  readonly #hash = new KeyHash()
  #trial: Trial | null = null
  #began: number | null = null
  #control = 'null'
  #ofControl: ArmVotes
  #ofLive: ArmVotes
  #last: Uplift | null = null
  #wereLive = new Set<number>()
  #now: Held | null = null

  constructor(private readonly options: ArmTallyOptions) {
    this.#ofControl = this.#empty()
    this.#ofLive = this.#empty()
  }

  /** Whether anything is counted. */
  get isOn(): boolean {
    return this.options.isOn
  }

  /** The test under way; null if there is none. */
  get trial(): Trial | null {
    return this.#trial
  }

  /** The votes of the present period. */
  get period(): { readonly control: ArmVotes; readonly live: ArmVotes } {
    return { control: this.#ofControl, live: this.#ofLive }
  }

  /** Of this period; of the last one until this one has enough users; null before. */
  get uplift(): Uplift | null {
    return this.#upliftNow() ?? this.#last
  }

  /** From now on votes are matched with what holds after a move. @param name  servers know a version as `<name>-v…` */
  follow(move: Move, name: string): void {
    if (!this.options.isOn) return
    const { aliases, arms, states } = move
    const number = aliases.canary !== null && arms?.canary ? arms.canaries : null
    if (number === null) this.#trial = null
    else if (this.#trial?.number !== number) this.#trial = { number, canary: this.#empty(), live: this.#empty() }
    const control = JSON.stringify(arms?.control ?? null)
    if (control !== this.#control) this.#begin(null)
    this.#control = control
    const live = Object.keys(states).filter((version) => ['live', 'retired'].includes(states[version] as string))
    for (const version of live) this.#wereLive.add(versionStep(version) as number)
    for (const step of [...this.#wereLive].slice(0, -MOST_LIVE)) this.#wereLive.delete(step)
    this.#now = { move, routing: routingOf(move, name) }
  }

  /** Counts an admitted vote; null if there are no arms. */
  push(vote: Feedback): Counted | null {
    const now = this.#now
    if (now === null || vote.label === null) return null
    const matched = armOfVote(vote, now, this.#wereLive)
    if (typeof matched === 'string') return { unmatched: matched }
    const { arm, isInTrial } = matched
    const counted = this.#voteOf(vote, vote.label)
    let isNew = false
    if (isInTrial && this.#trial) isNew = this.#trial[arm === 'canary' ? 'canary' : 'live'].add(counted)
    if (arm !== 'canary') {
      this.#turn(vote.timestamp)
      isNew = (arm === 'control' ? this.#ofControl : this.#ofLive).add(counted)
    }
    return { arm, isNew }
  }

  /**
   * A vote that has just been read, before hold-back: what it takes back or changes does so at once, also if it ends as a
   * `repeat` of an earlier opinion.
   */
  correct(vote: Feedback): void {
    const { subject, label, ofAllUsers } = vote
    if (subject === null || this.#now === null) return
    const key = ofAllUsers ? this.#keyOf(subject) : this.#keyOf(voteKey(vote))
    for (const votes of this.#all) {
      if (ofAllUsers) votes.takeBack(key)
      else votes.correct(key, label)
    }
  }

  snapshot(): ArmTallyState {
    const trial = this.#trial
    return {
      trial: trial && { number: trial.number, canary: trial.canary.snapshot(), live: trial.live.snapshot() },
      ...{ began: this.#began, control: this.#control, last: this.#last, wereLive: [...this.#wereLive] },
      ...{ ofControl: this.#ofControl.snapshot(), ofLive: this.#ofLive.snapshot() },
    }
  }

  restore({ trial, began, control, ofControl, ofLive, last, wereLive }: ArmTallyState): void {
    this.#trial = trial && { number: trial.number, canary: this.#empty(), live: this.#empty() }
    if (trial) this.#trial?.canary.restore(trial.canary)
    if (trial) this.#trial?.live.restore(trial.live)
    this.#began = began
    this.#control = control
    this.#ofControl.restore(ofControl)
    this.#ofLive.restore(ofLive)
    this.#last = last
    this.#wereLive = new Set(wereLive)
  }

  get #all(): readonly ArmVotes[] {
    const trial = this.#trial
    return [this.#ofControl, this.#ofLive, ...(trial ? [trial.canary, trial.live] : [])]
  }

  /** Begins the next period if this one is over. */
  #turn(timestamp: number): void {
    if (this.#began === null) this.#began = timestamp
    if (timestamp < this.#began + this.options.period) return
    this.#last = this.#upliftNow() ?? this.#last
    const last = this.#last
    this.#begin(timestamp)
    this.#last = last
  }

  #begin(timestamp: number | null): void {
    this.#began = timestamp
    this.#last = null
    this.#ofControl = this.#empty()
    this.#ofLive = this.#empty()
  }

  #upliftNow(): Uplift | null {
    const { alpha, margin: scale } = this.options
    const difference = differenceOf(this.#ofLive.rate, this.#ofControl.rate, { alpha, scale })
    return difference && { ...difference, began: this.#began as number }
  }

  #voteOf(vote: Feedback, label: boolean) {
    const { subject, user, position } = vote
    return {
      key: this.#keyOf(subject === null ? positionId(position) : voteKey(vote)),
      user: user === null ? keyOf(hashOfConversation(this.#hash, vote.prompt)) : this.#keyOf(user),
      completion: subject === null ? 0 : this.#keyOf(subject),
      label,
    }
  }

  #keyOf(text: string): number {
    return keyOf(this.#hash.of(text))
  }

  #empty(): ArmVotes {
    return new ArmVotes(this.options.capacity)
  }
}
