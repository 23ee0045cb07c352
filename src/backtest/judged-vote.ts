/** What predicts a vote: the model that learns, and three that know less. */
export const BASELINES = ['majority', 'length', 'prompt'] as const
export type Baseline = (typeof BASELINES)[number]
export type Predictor = 'model' | Baseline

/** A vote with what was predicted of it before it trained. */
export interface JudgedVote {
  /** In the file, from 1. */
  readonly line: number
  readonly label: boolean
  /** The event's own weight, > 0. */
  readonly weight: number
  /** Numbers of the user and the prompt within the file; no user: null. */
  readonly user: number | null
  readonly prompt: number
  /** Votes of one cluster depend on each other: those of a user or, without users, on a prompt. */
  readonly cluster: number
  /** Tokens of the answer. */
  readonly length: number
  /**
   * What each predictor sorts votes by: the larger, the likelier a thumbs-up. For the model the reward less δ, in nats;
   * for the majority 0.
   */
  readonly scores: Readonly<Record<Predictor, number>>
  /** 1 if its prediction was right, ½ if it had none. */
  readonly right: Readonly<Record<Predictor, number>>
}
