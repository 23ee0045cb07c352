import { type Observable, Subject } from 'rxjs'
import type { TapLine } from './tap-line.js'

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
