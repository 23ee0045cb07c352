import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import { versionStep } from '../adapters/versions/version.js'
import type { Feedback, Serializable } from '../events/types.js'
import { KeyHash } from './collections/key-hash.js'
import type { Drop } from './drop.js'
import { hashOfPrompt, keyOf } from './prompt-hash.js'

export interface AdmissionOptions {
  /** Number of recent admitted events over which the caps apply. */
  readonly window: number
  /**
   * Share of the admitted events in the window that one user may have, 0..1; 0 is off. Users of different sources are
   * different users; all votes of a source without a user count as one user.
   */
  readonly userShare: number
  /** Events in the window that a user may always have, whatever the share. @default 1 */
  readonly userMinimum?: number
  /** How often one prompt may be in the window; 0 is off. */
  readonly promptRepeats: number
  /**
   * How many steps old the adapter that wrote a completion may be; 0 is off. Completions of adapters that bcod did not
   * name are exempt.
   * @default 0
   */
  readonly adapterAge?: number
}

export interface AdmissionState {
  /**
   * Hashes of the users and prompts in the window, oldest first; 0 if the cap was off. Of 53 bits: in a window of this
   * size a collision is unlikely, and costs at most one event.
   */
  readonly users: readonly number[]
  readonly prompts: readonly number[]
}

/** Caps the share of one user and the repeats of one prompt over recent admitted events, and the age of answers. */
export class Admission implements Serializable<AdmissionState> {
  private readonly hash = new KeyHash()
  private readonly users: RecentKeys
  private readonly prompts: RecentKeys

  constructor(private readonly options: AdmissionOptions) {
    this.users = new RecentKeys(options.userShare > 0 ? options.window : 0)
    this.prompts = new RecentKeys(options.promptRepeats > 0 ? options.window : 0)
  }

  /**
   * Returns why the event is rejected, or null if it is admitted and counted against the caps.
   *
   * @param step  the last applied one
   */
  refuse(event: Feedback, step = 0): 'stale' | 'user_cap' | 'prompt_cap' | null {
    const { userShare, promptRepeats, adapterAge = 0 } = this.options
    const written = event.adapter === null ? null : versionStep(event.adapter)
    if (adapterAge > 0 && written !== null && step - written > adapterAge) return 'stale'
    const user = userShare > 0 ? keyOf(this.hash.of(userText(event))) : NO_KEY
    const prompt = promptRepeats > 0 ? keyOf(hashOfPrompt(this.hash, event.prompt)) : NO_KEY
    if (user !== NO_KEY && this.users.count(user) >= this.userLimit()) return 'user_cap'
    if (prompt !== NO_KEY && this.prompts.count(prompt) >= promptRepeats) return 'prompt_cap'
    this.users.push(user)
    this.prompts.push(prompt)
    return null
  }

  snapshot(): AdmissionState {
    return { users: this.users.list(), prompts: this.prompts.list() }
  }

  restore(state: AdmissionState): void {
    this.users.replace(state.users)
    this.prompts.replace(state.prompts)
  }

  /** A user's limit with this event in the window: a share of the events admitted so far, not of the capacity. */
  private userLimit(): number {
    const { window, userShare, userMinimum = 1 } = this.options
    return Math.max(userMinimum, Math.floor(userShare * Math.min(window, this.users.size + 1)))
  }
}

/**
 * Drops events above a cap as `user_cap` or `prompt_cap`, and completions of an old adapter as `stale`.
 *
 *     vote$.pipe(admit(new Admission({ window: 1_000, userShare: 0.1, promptRepeats: 20 }), drop))
 *
 * @param step  returns the last applied step. @default 0
 */
export function admit(admission: Admission, drop: Drop, step = () => 0): MonoTypeOperatorFunction<Feedback> {
  return filter((event) => {
    const reason = admission.refuse(event, step())
    if (reason !== null) drop(event, reason)
    return reason === null
  })
}

const NO_KEY = 0

/** Counts keys among the last `capacity`. */
class RecentKeys {
  private ring: number[] = []
  private oldest = 0
  private readonly counts = new Map<number, number>()

  constructor(private readonly capacity: number) {}

  get size(): number {
    return this.ring.length
  }

  count(key: number): number {
    return this.counts.get(key) ?? 0
  }

  push(key: number): void {
    if (this.capacity === 0) return
    if (this.ring.length < this.capacity) {
      this.ring.push(key)
    } else {
      this.add(this.ring[this.oldest]!, -1)
      this.ring[this.oldest] = key
      this.oldest = (this.oldest + 1) % this.capacity
    }
    this.add(key, 1)
  }

  list(): number[] {
    return [...this.ring.slice(this.oldest), ...this.ring.slice(0, this.oldest)]
  }

  replace(keys: readonly number[]): void {
    this.ring = []
    this.oldest = 0
    this.counts.clear()
    for (const key of keys) this.push(key)
  }

  private add(key: number, change: number): void {
    const count = this.count(key) + change
    if (count === 0) this.counts.delete(key)
    else this.counts.set(key, count)
  }
}

const userText = ({ source, user }: Feedback): string => `${source.length}:${source}${user === null ? '-' : `+${user}`}`
