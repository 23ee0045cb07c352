import { type Observable, Subject } from 'rxjs'

/**
 * One line of `bcod tap`: what became of a vote, or what the daemon did. Positions, labels, codes and numbers; never a
 * prompt, a completion, a user or a subject.
 */
export interface TapLine {
  readonly kind: TapKind
  readonly [field: string]: string | number | boolean | null
}

/**
 * The first five are of one vote each. `skipped` stands for lines that a slow watcher missed; after `ended` the watcher
 * had to make room for another.
 */
export const TAP_KINDS = [
  'received',
  'dropped',
  'held_out',
  'dead_letter',
  'trained',
  'step',
  'checkpoint',
  'gate',
  'guard',
  'canary',
  'published',
  'adapters',
  'resumed',
  'state',
  'reading',
  'training',
  'skipped',
  'ended',
] as const
export type TapKind = (typeof TAP_KINDS)[number]

/** The lines of `/v1/tap`; none is made without a watcher. */
export class Tap {
  readonly #line$ = new Subject<TapLine>()
  readonly line$: Observable<TapLine> = this.#line$

  get watched(): boolean {
    return this.#line$.observed
  }

  push(line: TapLine): void {
    this.#line$.next({ time: new Date().toISOString(), ...line })
  }
}
