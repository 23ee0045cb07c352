import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import { positionId } from '../events/position.js'
import type { Feedback, Serializable } from '../events/types.js'
import { BoundedMap, type BoundedMapState } from './collections/bounded-map.js'
import type { Drop } from './drop.js'

/**
 * Remembers source and id of the last `window` distinct events. A duplicate does not make the first one younger.
 * A bare row and a tombstone, whose id is their position, cannot come twice and take no room.
 */
export class DedupWindow implements Serializable<BoundedMapState> {
  private readonly seen: BoundedMap

  /** @param window in events */
  constructor(window: number) {
    this.seen = new BoundedMap(window)
  }

  /** True if the event is new; it is remembered. */
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
 * Lets each event through once: the same `source` and `id` within the window is dropped as `duplicate`.
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
