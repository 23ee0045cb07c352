import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError } from '../../errors.js'
import { type FailurePlace, isTransient, kafkaError } from './failure.js'

const PAUSE = 250

/** Waits `ms`, or less when `signal` aborts. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined)

/**
 * What `attempt` resolves to, tried again while its failure may heal by itself.
 * Rejects with a coded error: the first lasting one, or KAFKA_CLOSED when `signal` aborts.
 */
export async function persist<T>(attempt: () => Promise<T>, at: FailurePlace, signal: AbortSignal): Promise<T> {
  for (;;) {
    if (signal.aborted) throw closed()
    try {
      return await attempt()
    } catch (error) {
      const coded = signal.aborted ? closed() : kafkaError(error, at)
      if (!isTransient(coded)) throw coded
      await pause(PAUSE, signal)
    }
  }
}

export const closed = (): BcodError => new BcodError('KAFKA_CLOSED', 'the connection was closed')
