import { createRequire } from 'node:module'
import { connect } from 'node:net'

const require = createRequire(import.meta.url)
/** kafkajs' own, so that the checksum does not come from the code under test. */
const crc32c = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number

export interface RecordParts {
  readonly offsetDelta?: number
  readonly timestampDelta?: number
  readonly key?: Buffer | null
  readonly value?: Buffer | null
  readonly headers?: readonly (readonly [name: string, value: Buffer | null])[]
  /** Instead of the number of headers that there are. */
  readonly headerCount?: number
}

export interface BatchParts {
  readonly baseOffset?: number
  readonly attributes?: number
  readonly lastOffsetDelta?: number
  readonly count?: number
  readonly baseTimestamp?: number
  readonly maxTimestamp?: number
  readonly producerId?: number
  readonly magic?: number
  /** Added to the right checksum. */
  readonly wrongBy?: number
}

export const CODEC = { none: 0, gzip: 1, snappy: 2, lz4: 3, zstd: 4 } as const
export const TRANSACTIONAL = 0x10
export const CONTROL = 0x20
export const APPEND_TIME = 0x08

/** A zigzag varint, as Kafka's documentation has it. */
export function varint(value: number): Buffer {
  let left = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n))
  const bytes: number[] = []
  do {
    bytes.push(Number(left & 0x7fn) | (left > 0x7fn ? 0x80 : 0))
    left >>= 7n
  } while (left > 0n)
  return Buffer.from(bytes)
}

const sized = (bytes: Buffer | null): Buffer[] => (bytes === null ? [varint(-1)] : [varint(bytes.length), bytes])

/** A record of format v2 with its length before it. https://kafka.apache.org/documentation/#record */
export function encodeRecord(parts: RecordParts, index = 0): Buffer {
  const { offsetDelta = index, timestampDelta = 0, key = null, value = null, headers = [] } = parts
  const body = Buffer.concat([
    ...[Buffer.from([0]), varint(timestampDelta), varint(offsetDelta), ...sized(key), ...sized(value)],
    varint(parts.headerCount ?? headers.length),
    ...headers.flatMap(([name, bytes]) => [...sized(Buffer.from(name)), ...sized(bytes)]),
  ])
  return Buffer.concat([varint(body.length), body])
}

export const encodeRecords = (records: readonly RecordParts[]): Buffer => Buffer.concat(records.map(encodeRecord))

/** A record batch of format v2 around records, packed or not. https://kafka.apache.org/documentation/#recordbatch */
export function encodeBatch(records: Buffer, count: number, parts: BatchParts = {}): Buffer {
  const { baseOffset = 0, attributes = 0, lastOffsetDelta = count - 1, baseTimestamp = 1_700_000_000_000 } = parts
  const { maxTimestamp = baseTimestamp, producerId = -1, magic = 2, wrongBy = 0 } = parts
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(BigInt(baseOffset), 0)
  header.writeInt32BE(49 + records.length, 8)
  header.writeInt32BE(-1, 12)
  header.writeInt8(magic, 16)
  header.writeInt16BE(attributes, 21)
  header.writeInt32BE(lastOffsetDelta, 23)
  header.writeBigInt64BE(BigInt(baseTimestamp), 27)
  header.writeBigInt64BE(BigInt(maxTimestamp), 35)
  header.writeBigInt64BE(BigInt(producerId), 43)
  header.writeInt16BE(producerId === -1 ? -1 : 0, 51)
  header.writeInt32BE(producerId === -1 ? -1 : 0, 53)
  header.writeInt32BE(parts.count ?? count, 57)
  const batch = Buffer.concat([header, records])
  batch.writeUInt32BE((crc32c(batch.subarray(21)) + wrongBy) >>> 0, 17)
  return batch
}

/** A batch with one record for each of the values. */
export const batchOf = (values: readonly string[], parts: BatchParts = {}): Buffer =>
  encodeBatch(encodeRecords(values.map((value) => ({ value: Buffer.from(value) }))), values.length, parts)

/** What a transaction's coordinator writes at its end. https://kafka.apache.org/documentation/#controlbatch */
export function endMarker(type: 'abort' | 'commit', producerId: number, baseOffset: number): Buffer {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1])
  const attributes = TRANSACTIONAL | CONTROL
  return encodeBatch(encodeRecord({ key, value: Buffer.alloc(6) }), 1, { attributes, producerId, baseOffset })
}

/** A connection that sends batches to a broker as they are: what a client can do that is written for it. */
export class RawProducer {
  readonly #port: number

  constructor(bootstrap: string) {
    this.#port = Number(bootstrap.split(':')[1])
  }

  /** The broker's error code, 0 where it took the batch, and the offset that it gave it. Produce request, version 7: the first with zstd. */
  async send(topic: string, batch: Buffer): Promise<{ readonly error: number; readonly offset: number }> {
    const text = (value: string) => Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)])
    const body = Buffer.concat([
      ...[int16(0), int16(7), int32(1), text('raw')], // Produce, its version, correlation, client
      ...[int16(-1), int16(-1), int32(10_000), int32(1), text(topic)], // no transaction, all replicas, timeout
      ...[int32(1), int32(0), int32(batch.length), batch],
    ])
    const answer = await this.#ask(Buffer.concat([int32(body.length), body]))
    const partition = 4 + 4 + 2 + Buffer.byteLength(topic) + 4 // correlation, topics, name, partitions
    return {
      error: answer.readInt16BE(partition + 4),
      offset: Number(answer.readBigInt64BE(partition + 6)),
    }
  }

  #ask(request: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#port, '127.0.0.1', () => socket.write(request))
      let answer = Buffer.alloc(0)
      socket.on('data', (bytes) => {
        answer = Buffer.concat([answer, bytes])
        if (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) return
        socket.destroy()
        resolve(answer.subarray(4))
      })
      socket.on('error', reject)
      socket.on('close', () => reject(new Error('the broker closed the connection')))
    })
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
