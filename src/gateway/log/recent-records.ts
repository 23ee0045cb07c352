/**
 * The newest records of a topic by key: votes come soon after answers. The bytes of each half lie in one buffer, and
 * when the newer half is full the older one is forgotten: a hundred thousand small buffers that come and go take several
 * times what is in them, and a Map that loses its first entry again and again walks over all that it lost.
 */
export class RecentRecords {
  private newer: Half
  private older: Half

  /** @param bytes  of all values; memory that has not been written to is not taken */
  constructor(bytes: number) {
    this.newer = new Half(bytes / 2)
    this.older = new Half(bytes / 2)
  }

  /** @returns a copy */
  get(key: string): Uint8Array | null {
    return this.newer.get(key) ?? this.older.get(key)
  }

  /** Keeps a value until as many bytes as one half has room for have come after it; one that is larger is not kept. */
  put(key: string, value: Uint8Array): void {
    if (!this.newer.hasRoomFor(value)) {
      ;[this.newer, this.older] = [this.older, this.newer]
      this.newer.clear()
    }
    this.newer.put(key, value)
  }
}

class Half {
  private readonly buffer: Buffer
  private places = new Map<string, { readonly start: number; readonly end: number }>()
  private used = 0

  constructor(bytes: number) {
    this.buffer = Buffer.alloc(bytes)
  }

  hasRoomFor(value: Uint8Array): boolean {
    return this.used + value.length <= this.buffer.length
  }

  get(key: string): Uint8Array | null {
    const place = this.places.get(key)
    return place === undefined ? null : Buffer.from(this.buffer.subarray(place.start, place.end))
  }

  put(key: string, value: Uint8Array): void {
    if (!this.hasRoomFor(value)) return
    this.places.set(key, { start: this.used, end: this.used + value.length })
    this.buffer.set(value, this.used)
    this.used += value.length
  }

  clear(): void {
    this.places = new Map()
    this.used = 0
  }
}
