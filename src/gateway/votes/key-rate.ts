const MINUTE = 60_000

interface Bucket {
  /** Votes that may pass at `time`. */
  left: number
  time: number
}

/**
 * What each API key may send: a bucket that holds the votes of a minute, and fills in a minute. A batch passes as a whole or
 * not at all.
 */
export class KeyRate {
  private readonly buckets = new Map<string, Bucket>()

  /** @param perMinute  not less than the largest batch, which could never pass otherwise */
  constructor(private readonly perMinute: number) {}

  /**
   * Takes votes out of the bucket of a key.
   *
   * @param now  milliseconds that never go back
   * @returns 0 if they may pass, else in how many seconds they may
   */
  take(key: string, count: number, now: number): number {
    const { perMinute, buckets } = this
    const { left, time } = buckets.get(key) ?? { left: perMinute, time: now }
    const full = Math.min(perMinute, left + ((now - time) * perMinute) / MINUTE)
    const passes = count <= full
    buckets.set(key, { left: passes ? full - count : full, time: now })
    return passes ? 0 : Math.ceil(((count - full) * MINUTE) / perMinute / 1000)
  }
}
