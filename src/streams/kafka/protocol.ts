/** Requests to one broker that kafkajs does not make, or not in this version, through its own connections. */
import { createRequire } from 'node:module'
import type { Broker } from 'kafkajs'

const require = createRequire(import.meta.url)

/** Offsets of partitions that this broker leads: where the log begins or ends, by what a reader may see. */
export async function listOffsets(
  broker: Broker,
  topic: string,
  partitions: readonly number[],
  { timestamp, isolationLevel }: { readonly timestamp: string; readonly isolationLevel: 0 | 1 },
): Promise<ReadonlyMap<number, string>> {
  const asked = broker as unknown as { listOffsets(request: object): Promise<ListedOffsets> }
  const topics = [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }]
  const { responses } = await asked.listOffsets({ isolationLevel, topics })
  return new Map(responses.flatMap((each) => each.partitions.map(({ partition, offset }) => [partition, offset])))
}

interface ListedOffsets {
  readonly responses: readonly {
    readonly partitions: readonly { readonly partition: number; readonly offset: string }[]
  }[]
}

/** kafkajs' reader of Kafka's wire format, as far as it is used here. */
export interface Decoder {
  readInt16(): number
  readInt32(): number
  readBoolean(): boolean
  readBytes(length: number): Buffer
  readUVarInt(): number
  readUVarIntString(): string | null
  readUVarIntArray<T>(read: () => T): T[] | null
  readTaggedFields(): unknown
}

/** Its writer. */
export interface Encoder {
  writeBoolean(value: boolean): Encoder
  writeInt32(value: number): Encoder
  writeBuffer(value: Buffer): Encoder
  writeUVarInt(value: number): Encoder
  writeUVarIntString(value: string): Encoder
}

export const decoderOf = (bytes: Buffer): Decoder => new (require('kafkajs/src/protocol/decoder'))(bytes) as Decoder

export const encoder = (): Encoder => new (require('kafkajs/src/protocol/encoder'))() as Encoder

/** The error for one of Kafka's error codes. */
export const protocolError = (code: number): Error =>
  (require('kafkajs/src/protocol/error') as { createErrorFromCode(code: number): Error }).createErrorFromCode(code)

/** Whether the broker said that it speaks this version of an API. */
export const supports = (broker: Broker, apiKey: number, version: number): boolean => {
  const { versions } = broker as unknown as { readonly versions: Record<number, { maxVersion: number }> | null }
  return (versions?.[apiKey]?.maxVersion ?? -1) >= version
}

/** A request in a version that kafkajs does not speak. */
export interface RawRequest<T> {
  readonly apiKey: number
  readonly apiVersion: number
  readonly apiName: string
  encode(): Encoder
  decode(bytes: Buffer): T
}

export function sendRaw<T>(broker: Broker, { encode, decode, ...request }: RawRequest<T>): Promise<T> {
  const { connectionPool } = broker as unknown as { connectionPool: { send(request: object): Promise<T> } }
  const response = { decode: async (bytes: Buffer) => decode(bytes), parse: async (decoded: T) => decoded }
  return connectionPool.send({ request: { ...request, encode: async () => encode() }, response })
}
