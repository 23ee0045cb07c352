import { BcodError } from '../../errors.js'

/**
 * The memory that one record batch may take, decompressed bytes and decoded records together. It is spent before memory
 * is allocated, so that a decompression bomb is stopped early.
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
