import { BcodError } from '../../errors.js'

/**
 * What one batch of records may take in memory, over all that it is unpacked to and taken apart into. It is spent
 * before memory is taken, so that a batch that says little and unpacks to much is stopped on the way.
 */
export class Budget {
  #left: number

  constructor(readonly bytes: number) {
    this.#left = bytes
  }

  get left(): number {
    return this.#left
  }

  get spent(): number {
    return this.bytes - this.#left
  }

  /** @throws KAFKA_BATCH_TOO_LARGE */
  spend(bytes: number): void {
    if (bytes > this.#left) throw this.exceeded()
    this.#left -= bytes
  }

  exceeded(): BcodError {
    return new BcodError('KAFKA_BATCH_TOO_LARGE', `it takes more than ${this.bytes} bytes (limits.maxBatchBytes)`)
  }
}

/** What is wrong with a batch, in words that quote nothing of it. */
export const damaged = (what: string): BcodError => new BcodError('KAFKA_BATCH_DAMAGED', what)
