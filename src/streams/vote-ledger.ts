import type { Feedback, Serializable } from '../events/types.js'
import { BoundedMap, type BoundedMapState } from './bounded-map.js'

/** Names who voted on what: equal for two votes of one user on one completion. Without `user`, one voter a completion. */
export function voteKey(subject: string, user: string | null): string {
  return user === null ? `-${subject}` : `${subject.length}:${subject}${user}`
}

const FORGOTTEN = 0
const DOWN = 1
const UP = 2

/**
 * The label with which each of the last `capacity` votes (subject and user) went on to training.
 * A vote older than that is taken for a new one.
 */
export class VoteLedger implements Serializable<BoundedMapState> {
  private readonly labels: BoundedMap

  constructor(capacity: number) {
    this.labels = new BoundedMap(capacity)
  }

  /** The label that went on last; null where none is known. */
  lastLabel(key: string): boolean | null {
    const value = this.labels.get(key) ?? FORGOTTEN
    return value === FORGOTTEN ? null : value === UP
  }

  remember(key: string, label: Feedback['label']): void {
    this.labels.set(key, label ? UP : DOWN)
  }

  /** The vote was taken back: the same label, given again, is a new vote. */
  forget(key: string): void {
    if (this.lastLabel(key) !== null) this.labels.set(key, FORGOTTEN)
  }

  snapshot(): BoundedMapState {
    return this.labels.snapshot()
  }

  restore(state: BoundedMapState): void {
    this.labels.restore(state)
  }
}
