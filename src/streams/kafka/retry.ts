import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError } from '../../errors.js'
import { type FailurePlace, kafkaError } from './failure.js'
import type { KafkaLogger } from './options.js'

const BETWEEN_ATTEMPTS_MS = 250
/** A wait is logged after this long, and again each time it has doubled. */
const FIRST_LOG_MS = 5_000

/** Waits `ms`, or until `signal` aborts. */
export const delay = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined)

/**
 * Retries `attempt` while its error is retryable, and logs a long wait.
 *
 * @throws the first error that is not retryable, coded; KAFKA_CLOSED when `signal` aborts
 */
export async function retry<T>(
  attempt: () => Promise<T>,
  at: FailurePlace & { readonly log?: KafkaLogger | undefined },
  signal: AbortSignal,
): Promise<T> {
  const waiting = new Waiting(at.log)
  for (;;) {
    if (signal.aborted) throw closed()
    try {
      return await attempt()
    } catch (error) {
      const coded = signal.aborted ? closed() : kafkaError(error, at)
      if (!coded.retryable) throw coded
      waiting.because(coded)
      await delay(BETWEEN_ATTEMPTS_MS, signal)
    }
  }
}

/** Logs what a long wait is for. */
export class Waiting {
  private readonly started = Date.now()
  private next = FIRST_LOG_MS

  constructor(private readonly log: KafkaLogger | undefined) {}

  because(error: BcodError): void {
    const waited = Date.now() - this.started
    if (waited < this.next) return
    this.next = 2 * waited
    const fields = { seconds: Math.round(waited / 1000), error: error.line, remedy: error.remedy }
    this.log?.({ level: 'warn', message: 'still waiting for Kafka', fields })
  }
}

export const closed = (): BcodError => new BcodError('KAFKA_CLOSED', 'the connection was closed')
