import { BcodError } from '../errors.js'

/** A number in a step is NaN or infinite. Nothing has changed. */
export class NonFinite<T> extends Error {
  /**
   * @param where     the first quantity of the step that is not finite
   * @param suspects  the events that may be at fault: those with a number of their own that is not finite, or all
   */
  constructor(
    readonly where: 'reference' | 'reward' | 'gradient',
    readonly suspects: readonly T[],
  ) {
    super(`the ${where} is not finite`)
  }
}

/** @throws NonFinite with the events whose value is NaN or infinite */
export function assertFinite<T>(where: 'reference' | 'reward', values: readonly number[], events: readonly T[]): void {
  const suspects = events.filter((_, i) => !Number.isFinite(values[i]))
  if (suspects.length > 0) throw new NonFinite(where, suspects)
}

/**
 * Bisection: the items that fail by themselves. A group that fails while each of its halves succeeds has no culprit.
 *
 * @param fails  whether a group fails
 */
export function culpritsOf<T>(items: readonly T[], fails: (group: readonly T[]) => boolean): readonly T[] {
  if (!fails(items)) return []
  if (items.length === 1) return items
  const middle = items.length >> 1
  return [...culpritsOf(items.slice(0, middle), fails), ...culpritsOf(items.slice(middle), fails)]
}

/** A step that can be tried with any of its events. */
export interface Attempt<T, R> {
  /** Applies the step. @throws NonFinite if a number is not finite; nothing has changed then */
  readonly run: (events: readonly T[]) => R
  /** Whether a step of this group would not be finite; changes nothing. */
  readonly fails: (group: readonly T[]) => boolean
  /** @throws if the reference is not finite whatever the event */
  readonly assertReference: () => void
  /** Names the step in errors. */
  readonly place: string
}

/** What became of the events of a step. */
export interface Quarantined<T, R> {
  /** null if no event was left. */
  readonly result: R | null
  readonly trained: readonly T[]
  /** Events that were left out because they are not finite by themselves. */
  readonly culprits: readonly T[]
}

/**
 * Runs a step without the events that make it not finite by themselves.
 *
 * @throws STEP_NONFINITE if the fault is not theirs: none of them fails alone, or every one does while the reference is
 *   finite
 */
export function withoutCulprits<T, R>(events: readonly T[], attempt: Attempt<T, R>): Quarantined<T, R> {
  const culprits: T[] = []
  for (let left = events; left.length > 0; left = left.filter((event) => !culprits.includes(event))) {
    try {
      return { result: attempt.run(left), trained: left, culprits }
    } catch (error) {
      if (!(error instanceof NonFinite)) throw error
      // events of one packed batch can spoil each other: only those that fail by themselves are at fault
      const found = culpritsOf<T>(error.suspects, attempt.fails)
      assertTheirFault(error.where, found.length, left.length, attempt)
      culprits.push(...found)
    }
  }
  return { result: null, trained: [], culprits }
}

function assertTheirFault(
  where: NonFinite<unknown>['where'],
  culprits: number,
  events: number,
  { assertReference, place }: Pick<Attempt<unknown, unknown>, 'assertReference' | 'place'>,
): void {
  if (culprits === 0)
    throw new BcodError('STEP_NONFINITE', 'the step is not finite, and no event alone makes it so', { place })
  if (culprits < events) return
  // either all of them hold what the reference cannot take, or it can take nothing
  if (where === 'reference') assertReference()
  else if (events > 1)
    throw new BcodError('STEP_NONFINITE', 'no event of the step is finite: the adapter has diverged', { place })
}

/**
 * Items that are computed together can spoil each other: those whose results are bad are computed again in smaller
 * groups, down to one item alone.
 *
 * @param results  of all items, in their order
 * @param compute  results of a group, in its order
 * @param good     whether a result is usable
 * @returns results in the order of `items`; bad ones only of items that are bad alone
 */
export function recomputeBad<T, R>(
  items: readonly T[],
  results: readonly R[],
  compute: (group: readonly T[]) => readonly R[],
  good: (result: R) => boolean,
): readonly R[] {
  const bad = results.flatMap((result, index) => (good(result) ? [] : [index]))
  if (bad.length === 0 || items.length === 1) return results
  const again = new Map<number, R>()
  const middle = Math.ceil(bad.length / 2)
  for (const half of [bad.slice(0, middle), bad.slice(middle)]) {
    if (half.length === 0) continue
    const group = half.map((index) => items[index] as T)
    const fresh = recomputeBad(group, compute(group), compute, good)
    for (const [i, index] of half.entries()) again.set(index, fresh[i] as R)
  }
  return results.map((result, index) => again.get(index) ?? result)
}
