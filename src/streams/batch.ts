import { NEVER, Observable, type OperatorFunction, type SchedulerLike, Subscription } from 'rxjs'
import type { TrainingEvent } from '../events/types.js'
import type { Batcher } from './batcher.js'

export interface BatchOptions {
  readonly scheduler: SchedulerLike
  /** Each emission requests one batch; a second request before the first is met changes nothing. */
  readonly demand$: Observable<unknown>
  /** Each emission sends out the events that wait now without waiting for full batches. @default never */
  readonly flush$?: Observable<unknown>
  /** No batch goes out between true and false. @default never */
  readonly paused$?: Observable<boolean>
}

/**
 * Emits a batch when the batcher has one ready and the consumer has requested it; events wait only in the batcher.
 * When the source completes, the rest follows on request; the last batch may be smaller.
 *
 *     const demand$ = new BehaviorSubject<void>(undefined)
 *     event$.pipe(batch(batcher, { scheduler, demand$ }), concatMap(step), tap(() => demand$.next()))
 */
export function batch(
  batcher: Batcher,
  { scheduler, demand$, flush$ = NEVER, paused$ = NEVER }: BatchOptions,
): OperatorFunction<TrainingEvent, TrainingEvent[]> {
  return (source) =>
    new Observable((subscriber) => {
      let asked = false
      let paused = false
      let ended = false
      let flushing = 0
      let emitting = false
      let timer = Subscription.EMPTY
      let alarm = Number.POSITIVE_INFINITY

      const next = (): TrainingEvent[] | null => {
        const now = scheduler.now()
        return ended || flushing > 0 ? batcher.takeRest(now) : batcher.take(now)
      }

      // The consumer may request another batch, and events may arrive, during `next`: the loop handles both.
      const emit = (): void => {
        if (emitting) return
        emitting = true
        while (asked && !paused && !subscriber.closed) {
          const events = next()
          if (!events) break
          flushing = Math.max(0, flushing - events.length)
          asked = false
          subscriber.next(events)
        }
        emitting = false
        if (ended && batcher.waiting === 0) subscriber.complete()
        else setAlarm(asked && !paused ? batcher.deadline() : Number.POSITIVE_INFINITY)
      }

      const setAlarm = (time: number): void => {
        if (time === alarm) return
        alarm = time
        timer.unsubscribe()
        if (time < Number.POSITIVE_INFINITY) timer = scheduler.schedule(ring, Math.max(0, time - scheduler.now()))
      }
      const ring = (): void => {
        alarm = Number.POSITIVE_INFINITY
        emit()
      }

      const error = (cause: unknown): void => subscriber.error(cause)
      subscriber.add(() => timer.unsubscribe())
      subscriber.add(
        demand$.subscribe({
          next: () => {
            asked = true
            emit()
          },
          error,
        }),
      )
      subscriber.add(
        paused$.subscribe({
          next: (now) => {
            paused = now
            emit()
          },
          error,
        }),
      )
      subscriber.add(
        flush$.subscribe({
          next: () => {
            flushing = batcher.waiting
            emit()
          },
          error,
        }),
      )
      subscriber.add(
        source.subscribe({
          next: (event) => {
            batcher.push(event, scheduler.now())
            emit()
          },
          error,
          complete: () => {
            ended = true
            emit()
          },
        }),
      )
    })
}
