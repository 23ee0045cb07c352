import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import type { Feedback } from '../events/types.js'
import type { Drop } from './drop.js'

/** Whether the list names the source; an empty list lets all through. */
export const allowsSource = (sources: readonly string[], source: string): boolean =>
  sources.length === 0 || sources.includes(source)

/**
 * Drops what comes from a source that is not on the list, as `source_refused`. It
 * stands before dedup and hold-back, so that a foreign source cannot replace or take back anybody's vote.
 *
 *     feedback$.pipe(allowSources(['chat-web', 'chat-mobile'], drop))
 */
export function allowSources(sources: readonly string[], drop: Drop): MonoTypeOperatorFunction<Feedback> {
  return filter((event) => {
    const isAllowed = allowsSource(sources, event.source)
    if (!isAllowed) drop(event, 'source_refused')
    return isAllowed
  })
}
