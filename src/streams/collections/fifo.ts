/** A queue: first in, first out, at constant cost however long it is. What is near its head may be taken out of turn. */
export class Fifo<T> implements Iterable<T> {
  private items: T[] = []
  private head = 0

  get size(): number {
    return this.items.length - this.head
  }

  peek(): T | undefined {
    return this.items[this.head]
  }

  push(item: T): void {
    this.items.push(item)
  }

  /** The oldest `count`, or all if there are fewer. */
  first(count: number): readonly T[] {
    return this.items.slice(this.head, this.head + count)
  }

  /** Takes one out, at a cost that grows with its distance from the head. */
  remove(item: T): void {
    const at = this.items.indexOf(item, this.head)
    if (at < 0) return
    this.items.copyWithin(this.head + 1, this.head, at)
    this.shift()
  }

  shift(): T | undefined {
    if (this.size === 0) return undefined
    const first = this.items[this.head]
    this.head += 1
    if (2 * this.head > this.items.length) {
      this.items = this.items.slice(this.head)
      this.head = 0
    }
    return first
  }

  *[Symbol.iterator](): Iterator<T> {
    for (let i = this.head; i < this.items.length; i++) yield this.items[i]!
  }
}
