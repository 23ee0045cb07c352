import { BehaviorSubject } from 'rxjs'

/** Who may keep steps from beginning: a person, a registry that was rolled back, or a guard. */
export type PauseReason = 'person' | 'registry' | 'guard'

/** Whether steps may begin: not while anybody has a reason against it. */
export class TrainingPause {
  readonly paused$ = new BehaviorSubject(false)
  readonly #reasons = new Set<PauseReason>()

  /** @param changed  called whenever steps may no longer begin, or may again */
  constructor(private readonly changed: (paused: boolean, reason: PauseReason) => void) {}

  set(reason: PauseReason, paused: boolean): void {
    if (paused) this.#reasons.add(reason)
    else this.#reasons.delete(reason)
    const isPaused = this.#reasons.size > 0
    if (isPaused === this.paused$.value) return
    this.paused$.next(isPaused)
    this.changed(isPaused, reason)
  }

  has(reason: PauseReason): boolean {
    return this.#reasons.has(reason)
  }
}
