import type { LogRecord } from '../../events/types.js'
import type { BatchHeader } from './batch-header.js'

/** An aborted transaction, as a broker lists it beside the records: whose, and its first offset. */
export interface AbortedTransaction {
  readonly producerId: string
  readonly firstOffset: string
}

/**
 * Tells which batches of a fetch are of an aborted transaction. Batches are shown to it in the order of the log. One
 * transaction of a producer begins where the broker's list says and ends with the marker in a control batch; the key
 * of any other record is its publisher's.
 *
 * @see KIP-98, and `CompletedFetch` of Kafka's own consumer
 */
export class AbortedTransactions {
  /** The earliest last: a broker lists them in the order in which they ended. */
  private readonly ahead: { readonly producerId: bigint; readonly firstOffset: bigint }[]
  private readonly open = new Set<bigint>()

  constructor(listed: readonly AbortedTransaction[]) {
    this.ahead = listed
      .map(({ producerId, firstOffset }) => ({ producerId: BigInt(producerId), firstOffset: BigInt(firstOffset) }))
      .sort((a, b) => (a.firstOffset < b.firstOffset ? 1 : -1))
  }

  /** There are aborted transactions whose end was not met so far. */
  get pending(): boolean {
    return this.ahead.length > 0 || this.open.size > 0
  }

  /** Whether the records of this batch were taken back. */
  has({ lastOffset, producerId, isTransactional, isControl }: BatchHeader): boolean {
    if (!this.pending) return false
    for (let next = this.ahead.at(-1); next && next.firstOffset <= lastOffset; next = this.ahead.at(-1)) {
      this.open.add(next.producerId)
      this.ahead.pop()
    }
    return isTransactional && !isControl && this.open.has(producerId)
  }

  /**
   * A control batch was met: an end marker ends its producer's transaction. So does one that compaction took or that
   * cannot be read, because nothing else of a producer is in a control batch.
   *
   * @param marker  its first record; null if there is none
   */
  marked({ producerId }: BatchHeader, marker: Pick<LogRecord, 'key'> | null): void {
    const type = markerType(marker?.key ?? null)
    if (type === null || type === ABORT || type === COMMIT) this.open.delete(producerId)
  }
}

const ABORT = 0
const COMMIT = 1

/** A control record's key is its version and its type, both int16. Null if it cannot be read. */
function markerType(key: Uint8Array | null): number | null {
  if (key === null || key.length < 4) return null
  const bytes = Buffer.from(key.buffer, key.byteOffset, key.length)
  return bytes.readInt16BE(0) < 0 ? null : bytes.readInt16BE(2)
}
