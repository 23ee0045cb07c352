interface Entry {
  readonly run: () => Promise<void>
  readonly refuse: (error: unknown) => void
}

/**
 * Runs tasks one at a time, in the order in which they were queued. The first task that fails ends the queue: no other
 * task runs after it.
 *
 *     const queue = new SerialQueue(() => new Error('closed'))
 *     queue.enqueue(() => trainStep(batch))
 *     const step = await queue.enqueue(() => writeCheckpoint())
 *     await queue.close()
 */
export class SerialQueue {
  /** Rejects with the error that ended the queue; never resolves. */
  readonly failed: Promise<never>
  readonly #refusal: () => Error
  readonly #waiting: Entry[] = []
  #running: Entry | null = null
  #closed = false
  #failure: { readonly error: unknown } | null = null
  #reject: (error: unknown) => void = () => undefined
  #drained: (() => void)[] = []

  /** @param refusal  makes the error for the caller of a task that will not run, or whose end nobody waits for */
  constructor(refusal: () => Error) {
    this.#refusal = refusal
    this.failed = new Promise((_, reject) => {
      this.#reject = reject
    })
    this.failed.catch(() => undefined)
  }

  /** Whether a task has failed, or `fail` was called. */
  get isFailed(): boolean {
    return this.#failure !== null
  }

  /** @throws the error that ended the queue */
  throwIfFailed(): void {
    if (this.#failure) throw this.#failure.error
  }

  /**
   * Runs `task` after everything that was queued before it, at once if there is nothing. Resolves with its result;
   * rejects with its error, or with the queue's refusal if it does not run. The promise may be ignored.
   */
  enqueue<T>(task: () => Promise<T>): Promise<T> {
    const result = new Promise<T>((resolve, reject) => {
      if (this.#closed || this.#failure) return reject(this.#refusal())
      const run = async () => {
        try {
          resolve(await task())
        } catch (error) {
          reject(error)
          throw error
        }
      }
      this.#waiting.push({ run, refuse: reject })
    })
    result.catch(() => undefined)
    this.#next()
    return result
  }

  /** Accepts no more tasks. Resolves when those that were queued have run; never if one of them fails. */
  close(): Promise<void> {
    this.#closed = true
    return new Promise((resolve) => {
      this.#drained.push(resolve)
      this.#next()
    })
  }

  /** Ends the queue: what waits is refused, and nobody waits for the task that runs. Only the first error counts. */
  fail(error: unknown): void {
    if (this.#failure) return
    this.#failure = { error }
    for (const { refuse } of [...(this.#running ? [this.#running] : []), ...this.#waiting.splice(0)])
      refuse(this.#refusal())
    this.#reject(error)
  }

  #next(): void {
    if (this.#running || this.#failure) return
    const entry = this.#waiting.shift()
    if (!entry) {
      if (this.#closed) for (const resolve of this.#drained.splice(0)) resolve()
      return
    }
    this.#running = entry
    entry.run().then(
      () => {
        this.#running = null
        this.#next()
      },
      (error: unknown) => {
        this.#running = null
        this.fail(error)
      },
    )
  }
}
