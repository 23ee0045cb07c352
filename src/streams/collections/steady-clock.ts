/** Bounds on the speed of the clock while it converges to a wall clock that was set. */
const SLOWEST = 0.5
const FASTEST = 2

/**
 * The wall clock without steps. After the system time was set, this clock continues from its last value and runs at half
 * or double speed until both agree, so that timeouts last at most twice and at least half as long. Otherwise a clock set
 * back by an hour would hold votes back for an hour.
 */
export class SteadyClock {
  private value: number
  private read: number

  /** @param wall, monotonic  in milliseconds */
  constructor(
    private readonly wall: () => number = Date.now,
    private readonly monotonic: () => number = () => performance.now(),
  ) {
    this.value = wall()
    this.read = monotonic()
  }

  /** Milliseconds since the epoch; never less than before. */
  now(): number {
    const read = this.monotonic()
    const elapsed = read - this.read
    this.read = read
    const [lowest, highest] = [this.value + SLOWEST * elapsed, this.value + FASTEST * elapsed]
    this.value = Math.min(highest, Math.max(lowest, this.wall()))
    return this.value
  }
}
