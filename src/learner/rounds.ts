import type { Later } from '../engine/index.js'

/**
 * Begins items in rounds, one at each place, the next round when the last has ended. Results come in the order of the
 * items, whichever place is faster. If one fails, all of its round are waited for, and its error is thrown.
 *
 * @param take  called once for each item, and for each round when it has ended; `place` is where the item ran
 */
export function inRounds<T, R>(
  items: readonly T[],
  places: readonly number[],
  begin: (item: T, place: number, round: number) => Later<R>,
  take: (item: T, result: R, place: number) => void,
): void {
  for (let number = 0; number * places.length < items.length; number++) {
    const round = items.slice(number * places.length, (number + 1) * places.length)
    const results = endsOf(round.map((item, i) => attempt(() => begin(item, places[i] as number, number))))
    round.forEach((item, i) => {
      take(item, results[i] as R, places[i] as number)
    })
  }
}

type Outcome<R> = { readonly value: R } | { readonly error: unknown }

function attempt<R>(run: () => R): Outcome<R> {
  try {
    return { value: run() }
  } catch (error) {
    return { error }
  }
}

/** Waits for all, also if one could not begin or fails. */
function endsOf<R>(begun: readonly Outcome<Later<R>>[]): readonly R[] {
  const ended = begun.map((each) => ('error' in each ? each : attempt(each.value)))
  return ended.map((each) => {
    if ('error' in each) throw each.error
    return each.value
  })
}
