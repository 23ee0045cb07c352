import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import type { Feedback } from '../events/types.js'
import type { Drop } from './drop.js'

/** Whether the list names a source; an empty list allows all. */
export function sourceRule(sources: readonly string[]): (source: string) => boolean {
  const allowed = new Set(sources)
  return (source) => allowed.size === 0 || allowed.has(source)
}

/**
 * Drops votes of sources that are not on the list, as `source_refused`. It comes before dedup and hold-back, so a foreign
 * source cannot replace or retract anybody's vote.
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
