import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import { positionId } from '../events/position.js'
import type { Feedback, Serializable } from '../events/types.js'
import { BoundedMap, type BoundedMapState } from './collections/bounded-map.js'
import type { Drop } from './drop.js'

/**
 * Remembers source and id of the last `window` distinct events. A duplicate does not renew the first one. Bare rows and
 * tombstones, whose id is their position, cannot be duplicates and are not remembered.
 */
export class DedupWindow implements Serializable<BoundedMapState> {
  private readonly seen: BoundedMap

  /** @param window in events */
  constructor(window: number) {
    this.seen = new BoundedMap(window)
  }

  /** Remembers the event; false if it was known. */
  admit(event: Feedback): boolean {
    if ((event.subject === null || event.ofAllUsers) && event.id === positionId(event.position)) return true
    return this.seen.merge(`${event.source.length}:${event.source}${event.id}`, 1) === 0
  }

  snapshot(): BoundedMapState {
    return this.seen.snapshot()
  }

  restore(state: BoundedMapState): void {
    this.seen.restore(state)
  }
}

/**
 * Drops events whose `source` and `id` were seen within the window, as `duplicate`.
 *
 *     feedback$.pipe(dedup(new DedupWindow(100_000), drop))
 */
export function dedup(window: DedupWindow, drop: Drop): MonoTypeOperatorFunction<Feedback> {
  return filter((event) => {
    const isNew = window.admit(event)
    if (!isNew) drop(event, 'duplicate')
    return isNew
  })
}
