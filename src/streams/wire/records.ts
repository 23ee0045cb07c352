import { isIndex, type ReadRecord } from '../headers.js'
import { type Budget, damaged } from './budget.js'
import { Cursor } from './cursor.js'

/** What the batch header states about its records. */
export interface RecordContext {
  readonly topic: string
  readonly partition: number
  /** Records before it are skipped. */
  readonly from: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly count: number
  readonly baseTimestamp: number
  /** The timestamp of all records, if the broker stamps them. */
  readonly appendTime: number | null
}

/** Memory of a header beside its bytes, measured on V8 and rounded up: one with nothing in it is 2 bytes in the log. */
export const HEADER_BYTES = 250

/**
 * Takes the unpacked records of a batch apart (Kafka's record format v2) and adds them to `into`; linear in their
 * bytes. The offsets must ascend within the batch's: a broker does not check it where nothing is compressed, and two
 * votes on one offset would be one.
 *
 * @throws KAFKA_BATCH_DAMAGED, KAFKA_BATCH_TOO_LARGE; `into` then holds those before
 */
export function readRecords(plain: Buffer, context: RecordContext, budget: Budget, into: ReadRecord[]): void {
  const { topic, partition, from, baseOffset, lastOffset, count, baseTimestamp, appendTime } = context
  const cursor = new Cursor(plain)
  let previous = baseOffset - 1
  for (let i = 0; i < count; i++) {
    cursor.end = plain.length
    const length = cursor.varint()
    const end = cursor.at + length
    if (length < 0 || end > plain.length) throw damaged('a record claims more bytes than are there')
    cursor.end = end
    cursor.byte() // attributes, without a meaning so far
    const timestamp = appendTime ?? baseTimestamp + cursor.varlong()
    if (appendTime !== null) cursor.varlong()
    const offset = baseOffset + cursor.varint()
    if (offset <= previous || offset > lastOffset) throw damaged('the offsets of its records are not in order')
    previous = offset
    const key = cursor.slice(cursor.varint())
    const value = cursor.slice(cursor.varint())
    const headerCount = cursor.varint()
    if (headerCount < 0 || 2 * headerCount > cursor.left) throw damaged('a record claims more headers than are there')
    const headers = headerCount === 0 ? NO_HEADERS : readHeaders(cursor, headerCount, budget)
    if (cursor.at !== end) throw damaged('a record is longer than its fields')
    if (offset < from) continue
    const record = { topic, partition, offset, timestamp, key, value, ...headers }
    into.push(appendTime === null ? record : { ...record, appendTime: true })
  }
  if (cursor.at !== plain.length) throw damaged('there are more bytes than its records take')
}

type Headers = Pick<ReadRecord, 'headers' | 'rawHeaders'>

/** Of a repeated name the last value counts, as in Kafka's own `Headers.lastHeader`; a null value is empty here. */
function readHeaders(cursor: Cursor, count: number, budget: Budget): Headers {
  budget.spend(HEADER_BYTES * count)
  const headers: Record<string, Buffer> = Object.create(null)
  let raw: Map<string, Buffer | Buffer[]> | null = null
  for (let i = 0; i < count; i++) {
    const name = cursor.text(cursor.varint())
    const value = cursor.slice(cursor.varint()) ?? EMPTY
    const index = isIndex(name)
    if (raw === null && (index || headers[name] !== undefined)) raw = new Map(Object.entries(headers))
    if (raw !== null) add(raw, name, value)
    if (!index) headers[name] = value
  }
  return raw === null ? { headers } : { headers, rawHeaders: [...raw] }
}

function add(raw: Map<string, Buffer | Buffer[]>, name: string, value: Buffer): void {
  const earlier = raw.get(name)
  if (Array.isArray(earlier)) earlier.push(value)
  else raw.set(name, earlier === undefined ? value : [earlier, value])
}

const EMPTY = Buffer.alloc(0)
const NO_HEADERS: Headers = { headers: Object.freeze(Object.create(null)) }
