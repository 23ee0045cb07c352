import type { Position, Serializable } from '../events/types.js'

export interface PositionsState {
  /** Partition and the offset to read next. Open offsets are not saved: they are restored from the events that hold them. */
  readonly next: readonly (readonly [partition: number, offset: number])[]
}

/**
 * The read position of each partition, and the offsets before it that are not acknowledged yet. An offset is open from
 * `track` until `ack`: its event was trained, held out or dropped, or its dead letter was acknowledged. A checkpoint
 * takes `committable` together with the events of the open offsets, and only a durable checkpoint's offsets are committed.
 */
export class Positions implements Serializable<PositionsState> {
  private readonly partitions = new Map<number, PartitionPositions>()

  /** The offset to read next; undefined if nothing is known of the partition. */
  next(partition: number): number | undefined {
    return this.partitions.get(partition)?.next
  }

  /** Opens the offset of a record just read. False if it was read before: the caller must skip the record. */
  track({ partition, offset }: Position): boolean {
    const positions = this.of(partition)
    if (offset < positions.next) return false
    positions.open(offset)
    positions.next = offset + 1
    return true
  }

  /** After `restore`, opens the offset of an event or dead letter that a checkpoint saved. In any order. */
  restoreOpen({ partition, offset }: Position): void {
    this.of(partition).open(offset)
  }

  /** Acknowledges an offset; a second time changes nothing. */
  ack({ partition, offset }: Position): void {
    this.partitions.get(partition)?.close(offset)
  }

  /** Moves the read position over offsets that hold no record, or to where reading starts. Never back. */
  advance(partition: number, nextOffset: number): void {
    const positions = this.of(partition)
    positions.next = Math.max(positions.next, nextOffset)
  }

  /** The group offset of each partition: the lowest open offset, or the read position if none is open. */
  committable(): Map<number, number> {
    return new Map(
      [...this.partitions].map(([partition, positions]) => [partition, positions.lowest() ?? positions.next]),
    )
  }

  /** Open offsets over all partitions. */
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

/** Offsets are usually opened in ascending order, and a Set keeps insertion order: its first is then the lowest. */
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
