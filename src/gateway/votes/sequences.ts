/** A second vote with the same label within this time is a double click, or the same request again. */
const SAME_MS = 2_000

interface Last {
  readonly label: boolean | null
  readonly time: number
  readonly sequence: string
}

/**
 * Tells a vote that is sent twice from one that was changed and changed back: up, up is one vote and up, down, up are
 * three. Where this is not seen, as by two replicas, both are events of their own, and hold-back drops the one whose label
 * changes nothing (docs/adr/006).
 */
export class Sequences {
  private readonly last = new Map<string, Last>()

  /** @param capacity  votes that are remembered */
  constructor(private readonly capacity: number) {}

  /** @param voter  names who votes on what @param time  milliseconds since the epoch */
  of(voter: string, label: boolean | null, time: number): string {
    const last = this.last.get(voter)
    if (last !== undefined && last.label === label && time - last.time < SAME_MS) return last.sequence
    const sequence = last?.time === time ? `${last.sequence}+` : String(time)
    this.last.delete(voter)
    this.last.set(voter, { label, time, sequence })
    for (const oldest of this.last.keys()) {
      if (this.last.size <= this.capacity) break
      this.last.delete(oldest)
    }
    return sequence
  }
}
