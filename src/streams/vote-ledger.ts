import type { Feedback, Serializable } from '../events/types.js'
import { BoundedMap, type BoundedMapState } from './collections/bounded-map.js'

type Voter = Pick<Feedback, 'source' | 'subject' | 'user'>

/**
 * Names who voted on what: equal for two votes of one user on one completion that came from one source. Without `user`,
 * one voter a completion.
 */
export const voteKey = (voter: Voter): string => `${voter.source.length}:${voter.source}${keyWithoutSource(voter)}`

/** How checkpoints named votes before the source was a part of it. */
function keyWithoutSource({ subject, user }: Voter): string {
  const completion = subject ?? ''
  return user === null ? `-${completion}` : `${completion.length}:${completion}${user}`
}

const DOWN = 1
const UP = 2
/** The key holds the source. Entries of older checkpoints do not have this bit: they hold for every source. */
const WITH_SOURCE = 4

/**
 * With which labels each of the last `capacity` votes (source, subject and user) went on to training. A label is never
 * forgotten while its vote is remembered, whatever came in between: one voter trains a completion once up and once down
 * at most. A vote older than that is taken for a new one.
 */
export class VoteLedger implements Serializable<BoundedMapState> {
  private readonly labels: BoundedMap
  /** Whether entries without a source may still be there. */
  private hasOlder = false

  constructor(capacity: number) {
    this.labels = new BoundedMap(capacity)
  }

  /**
   * Whether the vote has gone on with this label before.
   *
   * @param key  the voter's, if the caller has computed it
   */
  has(voter: Voter, label: boolean, key = voteKey(voter)): boolean {
    const bit = label ? UP : DOWN
    if (((this.labels.get(key) ?? 0) & bit) !== 0) return true
    return this.hasOlder && ((this.labels.get(keyWithoutSource(voter)) ?? 0) & bit) !== 0
  }

  /** @param key  the voter's, if the caller has computed it */
  remember(voter: Voter, label: Feedback['label'], key = voteKey(voter)): void {
    this.labels.merge(key, WITH_SOURCE | (label ? UP : DOWN))
  }

  snapshot(): BoundedMapState {
    return this.labels.snapshot()
  }

  restore(state: BoundedMapState): void {
    this.labels.restore(state)
    this.hasOlder = state.values.some((value) => (value & WITH_SOURCE) === 0)
  }
}
