import { BcodError } from '../../errors.js'

/** Runs a few tasks at a time; a task that is asked for twice meanwhile runs once. */
export class Bounded<T> {
  private readonly running = new Map<string, Promise<T>>()
  private readonly queue: (() => void)[] = []
  private free: number

  constructor(
    atOnce: number,
    private readonly maxWaiting: number,
  ) {
    this.free = atOnce
  }

  /** @throws LOG_UNAVAILABLE if too many wait already */
  run(name: string, task: () => Promise<T>): Promise<T> {
    const known = this.running.get(name)
    if (known !== undefined) return known
    if (this.free === 0 && this.queue.length >= this.maxWaiting)
      throw new BcodError('LOG_UNAVAILABLE', 'too many answers are being looked up', { place: 'completion' })
    const result = this.inTurn(task).finally(() => this.running.delete(name))
    this.running.set(name, result)
    return result
  }

  private async inTurn(task: () => Promise<T>): Promise<T> {
    if (this.free > 0) this.free -= 1
    else await new Promise<void>((resolve) => this.queue.push(resolve))
    try {
      return await task()
    } finally {
      const next = this.queue.shift()
      if (next === undefined) this.free += 1
      else next()
    }
  }
}
