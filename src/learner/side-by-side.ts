import type { Fetched, Later } from '../engine/index.js'

/** What is computed in many runs, each after the one before: yields runs that have begun, and takes what they fetched. */
export type Runs<R> = Generator<Later<Fetched>, R, Fetched>

/** One of them: its run under way, or how it ended. */
interface Begun<R> {
  readonly runs: Runs<R>
  state: { readonly run: Later<Fetched> } | { readonly value: R } | { readonly error: unknown }
}

/**
 * Several that go on at the same time on one thread: whoever waits for one of them takes all one run further in turn, so
 * each has a run under way while the others' are waited for.
 */
export class SideBySide<R> {
  readonly #open = new Set<Begun<R>>()

  /** Begins the first run. */
  begin(runs: Runs<R>): Later<R> {
    const begun: Begun<R> = { runs, state: next(() => runs.next()) }
    this.#open.add(begun)
    return () => {
      while ('run' in begun.state) this.#advance()
      this.#open.delete(begun)
      if ('error' in begun.state) throw begun.state.error
      return begun.state.value
    }
  }

  #advance(): void {
    for (const each of this.#open) {
      const { runs, state } = each
      if ('run' in state) each.state = next(() => runs.next(state.run()))
    }
  }
}

function next<R>(advance: () => IteratorResult<Later<Fetched>, R>): Begun<R>['state'] {
  try {
    const { done, value } = advance()
    return done ? { value } : { run: value }
  } catch (error) {
    return { error }
  }
}
