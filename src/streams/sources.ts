import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import type { Feedback } from '../events/types.js'
import type { Drop } from './drop.js'

/** Tells whether the list names a source; an empty list lets all through. */
export function sourceRule(sources: readonly string[]): (source: string) => boolean {
  const allowed = new Set(sources)
  return (source) => allowed.size === 0 || allowed.has(source)
}

/**
 * Drops what comes from a source that is not on the list, as `source_refused`. It stands before dedup and hold-back, so
 * that a foreign source cannot replace or take back anybody's vote.
 *
 *     feedback$.pipe(allowSources(['chat-web', 'chat-mobile'], drop))
 */
export function allowSources(sources: readonly string[], drop: Drop): MonoTypeOperatorFunction<Feedback> {
  const allows = sourceRule(sources)
  return filter((event) => {
    const isAllowed = allows(event.source)
    if (!isAllowed) drop(event, 'source_refused')
    return isAllowed
  })
}
