import type { ClusteredRate, UserVotes } from '../../src/uplift/clustered-rate.js'

export interface StreamOptions {
  readonly seed: number
  readonly users: number
  readonly share: number
  readonly up: number
  readonly effect: number
  readonly taste: number
  readonly tail: number
  readonly votes: number
}

export interface SimulatedVote {
  readonly user: number
  readonly isCanary: boolean
  readonly isUp: boolean
}

export function voteStream(options: StreamOptions): Generator<SimulatedVote>

interface Countable {
  change(before: UserVotes, after: UserVotes): void
}

export function follow<Rate extends Countable = ClusteredRate>(
  stream: Iterable<SimulatedVote>,
  counting: { readonly rate: () => Rate; readonly cap: number },
  look: (canary: Rate, live: Rate, seen: number) => boolean,
): void
