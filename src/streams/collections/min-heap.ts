/** A binary heap: the smallest first. */
export class MinHeap<T> {
  private items: T[] = []

  /** @param before true if the first comes strictly before the second */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.items.length
  }

  peek(): T | undefined {
    return this.items[0]
  }

  push(item: T): void {
    const { items, before } = this
    let at = items.length
    items.push(item)
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (!before(item, items[parent]!)) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  pop(): T | undefined {
    const first = this.items[0]
    const last = this.items.pop()
    if (last !== undefined && this.items.length > 0) this.sink(0, last)
    return first
  }

  /** Keeps the items that pass. */
  retain(keep: (item: T) => boolean): void {
    this.items = this.items.filter(keep)
    for (let at = (this.items.length >> 1) - 1; at >= 0; at--) this.sink(at, this.items[at]!)
  }

  private sink(from: number, item: T): void {
    const { items, before } = this
    let at = from
    for (;;) {
      let child = 2 * at + 1
      if (child >= items.length) break
      if (child + 1 < items.length && before(items[child + 1]!, items[child]!)) child += 1
      if (!before(items[child]!, item)) break
      items[at] = items[child]!
      at = child
    }
    items[at] = item
  }
}
