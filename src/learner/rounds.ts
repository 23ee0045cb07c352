import type { Later } from '../engine/index.js'
import { BcodError } from '../errors.js'

/** Where items are computed. Fewer are in use once one is dropped. */
export interface RoundPlaces {
  /** Those in use, by number; the first is 0. */
  readonly places: readonly number[]
  /** Whether a place is a worker's, so that what fails there may succeed elsewhere. */
  isRemote(place: number): boolean
  /** Leaves a place out of all that follows. Nothing happens if it is not in use. */
  drop(place: number, reason: BcodError): void
}

/** What is done with each item. */
export interface RoundWork<T, R> {
  /** @param index  of the item */
  begin(item: T, place: number, index: number): Later<R>
  /** Gets to the first place what an item that ended well has left at another. */
  bring?(place: number): void
  /** Called once for each item, in their order. */
  take(item: T, result: R): void
}

const FIRST = 0

/**
 * Begins items in rounds, one at each place, the next round when the last has ended. Results come in the order of the
 * items, whichever place is faster. If one fails at this machine, all of its round are waited for, nothing of it is
 * taken, and its error is thrown. One that fails at a worker is computed again at the first place when its turn comes,
 * and the worker is dropped if it succeeds there.
 */
export function inRounds<T, R>(items: readonly T[], places: RoundPlaces, work: RoundWork<T, R>): void {
  for (let done = 0; done < items.length; ) {
    const used = places.places
    const begun = items.slice(done, done + used.length).map((item, i) => {
      const [place, index] = [used[i] as number, done + i]
      return { item, place, index, run: attempt(() => work.begin(item, place, index)) }
    })
    const ended = begun.map(({ run, ...rest }) => ({ ...rest, outcome: 'error' in run ? run : attempt(run.value) }))
    // what is known to be lost is not asked again, whatever becomes of the round
    for (const { place, outcome } of ended)
      if ('error' in outcome && isLost(outcome.error)) places.drop(place, outcome.error)
    for (const { place, outcome } of ended) if ('error' in outcome) requireRemote(places, place, outcome.error)
    for (const { item, place, index, outcome } of ended) {
      const brought = 'error' in outcome || place === FIRST ? outcome : attempt(() => bring(work, place, outcome.value))
      if ('error' in brought) {
        const reason = requireRemote(places, place, brought.error)
        const again = work.begin(item, FIRST, index)()
        places.drop(place, reason)
        work.take(item, again)
      } else work.take(item, brought.value)
    }
    done += begun.length
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

function bring<T, R>(work: RoundWork<T, R>, place: number, value: R): R {
  work.bring?.(place)
  return value
}

const isLost = (error: unknown): error is BcodError =>
  error instanceof BcodError && (error.code === 'WORKER_LOST' || error.code === 'WORKER_TIMEOUT')

/** The error of a run that may succeed elsewhere. @throws any other */
function requireRemote(places: RoundPlaces, place: number, error: unknown): BcodError {
  if (error instanceof BcodError && places.isRemote(place)) return error
  throw error
}
