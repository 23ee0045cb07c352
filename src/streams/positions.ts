import type { Position, Serializable } from '../events/types.js'

export interface PositionsState {
  /** Partition and the offset to read next. Open offsets are not here: whoever holds their events reopens them. */
  readonly next: readonly (readonly [partition: number, offset: number])[]
}

/**
 * Where the reader stands in each partition, and which of the offsets before that have not yet come to their end.
 * An offset is open from `begin` until `end`: trained and checkpointed, held out, dropped, quarantined, or its dead
 * letter acknowledged.
 */
export class Positions implements Serializable<PositionsState> {
  private readonly partitions = new Map<number, PartitionPositions>()

  /** The offset to read next; undefined where the partition was never seen. */
  next(partition: number): number | undefined {
    return this.partitions.get(partition)?.next
  }

  /** Opens a record just read. False where it had been read before: the caller then leaves it alone. */
  begin({ partition, offset }: Position): boolean {
    const positions = this.of(partition)
    if (offset < positions.next) return false
    positions.open(offset)
    positions.next = offset + 1
    return true
  }

  /** Opens again, after `restore`, the offset of an event or dead letter that was saved before its end. In any order. */
  reopen({ partition, offset }: Position): void {
    this.of(partition).open(offset)
  }

  /** Closes an offset; closing it again changes nothing. */
  end({ partition, offset }: Position): void {
    this.partitions.get(partition)?.close(offset)
  }

  /** Moves the read position over offsets that hold no record, or to where reading starts. Never back. */
  advance(partition: number, nextOffset: number): void {
    const positions = this.of(partition)
    positions.next = Math.max(positions.next, nextOffset)
  }

  /** Group offset of each partition: the lowest open offset, else the next position, so that lag tells the truth. */
  committable(): Map<number, number> {
    return new Map(
      [...this.partitions].map(([partition, positions]) => [partition, positions.lowest() ?? positions.next]),
    )
  }

  /** Offsets that have not come to their end, over all partitions. */
  get openCount(): number {
    let count = 0
    for (const positions of this.partitions.values()) count += positions.openCount
    return count
  }

  snapshot(): PositionsState {
    return { next: [...this.partitions].map(([partition, positions]) => [partition, positions.next] as const) }
  }

  restore(state: PositionsState): void {
    this.partitions.clear()
    for (const [partition, next] of state.next) this.of(partition).next = next
  }

  private of(partition: number): PartitionPositions {
    const known = this.partitions.get(partition)
    if (known) return known
    const fresh = new PartitionPositions()
    this.partitions.set(partition, fresh)
    return fresh
  }
}

/** Offsets are opened in ascending order, and a Set keeps the order of insertion: its first is the lowest. */
class PartitionPositions {
  next = 0
  private offsets = new Set<number>()
  private highest = -1
  private ascending = true

  get openCount(): number {
    return this.offsets.size
  }

  open(offset: number): void {
    if (offset < this.highest) this.ascending = false
    this.highest = Math.max(this.highest, offset)
    this.offsets.add(offset)
  }

  close(offset: number): void {
    this.offsets.delete(offset)
  }

  lowest(): number | undefined {
    if (!this.ascending) {
      this.offsets = new Set([...this.offsets].sort((a, b) => a - b))
      this.ascending = true
    }
    return this.offsets.values().next().value
  }
}
