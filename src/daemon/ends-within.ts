import { firstValueFrom, from, map, race, type SchedulerLike, timer } from 'rxjs'

/** Waits for `work`, at most `ms` milliseconds. Resolves with whether it ended in time; rejects with its error. */
export const endsWithin = (work: Promise<unknown>, ms: number, scheduler: SchedulerLike): Promise<boolean> =>
  firstValueFrom(race(from(work).pipe(map(() => true)), timer(ms, scheduler).pipe(map(() => false))))
