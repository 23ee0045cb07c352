import { firstValueFrom, from, fromEvent, map, type Observable, race, type SchedulerLike, timer } from 'rxjs'
import { holderHasEnded } from '../checkpoint/fence.js'
import type { FeedbackLog } from '../streams/source.js'

export interface LeadershipOptions {
  readonly log: Pick<FeedbackLog, 'members'>
  /** The directory of checkpoints, with the fence of the last writer. */
  readonly directory: string
  /** Milliseconds between two looks at the group. */
  readonly everyMs: number
  readonly scheduler: SchedulerLike
  /** Ends the wait. */
  readonly stop: AbortSignal
  /** Called once, before the group is asked. */
  readonly asking: () => void
  /** Called once, if another daemon is a member of the group. */
  readonly standby: (members: number) => void
}

/**
 * Waits until no other daemon of the group is at work: the group's membership is the lease. A writer that is known to
 * have ended, by its fence, is not waited for.
 *
 * @returns false if the daemon was stopped meanwhile
 * @throws what the log throws when it is asked for the group's members
 */
export async function waitForLeadership(options: LeadershipOptions): Promise<boolean> {
  const { log, directory, everyMs, scheduler, stop, asking, standby } = options
  if (stop.aborted) return false
  if (holderHasEnded(directory)) return true
  asking()
  for (let looks = 0; ; looks++) {
    const members = await unless(stop, from(log.members()))
    if (members === null) return false
    if (members === 0) return true
    if (looks === 0) standby(members)
    if ((await unless(stop, timer(everyMs, scheduler))) === null) return false
  }
}

/** The first value; null if the signal comes first. */
async function unless<T>(stop: AbortSignal, value$: Observable<T>): Promise<T | null> {
  if (stop.aborted) return null
  return firstValueFrom(race(value$, fromEvent(stop, 'abort').pipe(map(() => null))))
}
