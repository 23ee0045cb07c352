/** Bounds on how fast the clock runs while it comes to terms with a wall clock that was set. */
const SLOWEST = 0.5
const FASTEST = 2

/**
 * The wall clock without its steps. Where somebody sets the system's time, this clock goes on from where it was and
 * runs at half or at double speed until both agree, so that what waits for a time waits at most twice as long and at
 * least half as long. A clock that was set back by an hour would otherwise hold votes back for an hour.
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
