import { setTimeout as sleep } from 'node:timers/promises'
import { BcodError } from '../../errors.js'
import { type FailurePlace, kafkaError } from './failure.js'
import type { KafkaLogger } from './options.js'

const PAUSE = 250
/** A wait is told of after this long, and again each time it has doubled. */
const FIRST_WORD = 5_000

/** Waits `ms`, or less when `signal` aborts. */
export const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  sleep(ms, undefined, { signal }).catch(() => undefined)

/**
 * What `attempt` resolves to, tried again while its failure may heal by itself. A long wait is told of in the log.
 * Rejects with a coded error: the first lasting one, or KAFKA_CLOSED when `signal` aborts.
 */
export async function persist<T>(
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
      await pause(PAUSE, signal)
    }
  }
}

/** Says in the log what is waited for: nobody shall have to guess why nothing happens. */
export class Waiting {
  private readonly started = Date.now()
  private next = FIRST_WORD

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
