import type { TrainingEvent } from '../events/types.js'

/** Beginnings are compared in runs of so many tokens: a template's first words are no reason to change the order. */
const RUN = 32

/**
 * Places of `count` events that are best trained together, in ascending order: the first, and those of the rest that have
 * the longest beginnings in common with it or with one of `others`. Of equal ones the earlier.
 *
 * @param events  oldest first
 */
export function mostAlike(
  events: readonly TrainingEvent[],
  count: number,
  others: readonly TrainingEvent[],
): readonly number[] {
  const [first, ...rest] = events
  if (first === undefined || count === 0 || count >= events.length)
    return events.slice(0, count).map((_, place) => place)
  const anchors = [first, ...others]
  const ranked = rest
    .map((event, i) => ({ place: i + 1, runs: Math.max(...anchors.map((anchor) => sharedRuns(anchor, event))) }))
    .sort((a, b) => b.runs - a.runs || a.place - b.place)
  return [0, ...ranked.slice(0, count - 1).map(({ place }) => place)].sort((a, b) => a - b)
}

/** How many runs of tokens two events have in common from their beginnings on, prompt and completion together. */
function sharedRuns(a: TrainingEvent, b: TrainingEvent): number {
  let tokens = 0
  for (let token = tokenAt(a, 0); token !== undefined && token === tokenAt(b, tokens); token = tokenAt(a, tokens))
    tokens++
  return Math.floor(tokens / RUN)
}

const tokenAt = ({ promptTokens, completionTokens }: TrainingEvent, at: number): number | undefined =>
  at < promptTokens.length ? promptTokens[at] : completionTokens[at - promptTokens.length]
