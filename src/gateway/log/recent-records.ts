/** The newest records of a topic by key, within a bound of bytes: votes come soon after answers. */
export class RecentRecords {
  private readonly byKey = new Map<string, Uint8Array>()
  private bytes = 0

  /** @param maxBytes  of keys and values; what was put first goes first */
  constructor(private readonly maxBytes: number) {}

  get(key: string): Uint8Array | null {
    return this.byKey.get(key) ?? null
  }

  put(key: string, value: Uint8Array): void {
    this.remove(key)
    this.byKey.set(key, value)
    this.bytes += costOf(key, value)
    for (const oldest of this.byKey.keys()) {
      if (this.bytes <= this.maxBytes) return
      this.remove(oldest)
    }
  }

  private remove(key: string): void {
    const value = this.byKey.get(key)
    if (value === undefined) return
    this.byKey.delete(key)
    this.bytes -= costOf(key, value)
  }
}

/** Of an entry of the map beside its bytes, measured on V8. */
const ENTRY_BYTES = 200
const costOf = (key: string, value: Uint8Array): number => ENTRY_BYTES + key.length + value.length
