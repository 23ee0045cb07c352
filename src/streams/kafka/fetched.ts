/**
 * The sixth repair of kafkajs 2.2.4 (the others are in patch.ts): it does not take fetched records apart any more. What
 * a broker sent comes out as bytes, for streams/wire. docs/adr/016-own-decoder.md tells why.
 */
import { createRequire } from 'node:module'
import type { Batch, Broker } from 'kafkajs'
import { BcodError } from '../../errors.js'
import type { FetchedPartition } from '../wire/portions.js'
import type { AbortedTransaction } from '../wire/transactions.js'
import { toOffset } from './offsets.js'
import './patch.js'

/** A fetch of one partition by a consumer: what was asked for, and the answer. */
export interface Fetch extends FetchedPartition {
  /** The offset that was asked for. */
  readonly fetchedOffset: number
  /** The offset up to which records can be read: that of the first open transaction, else the log's end. */
  readonly readableEnd: number
}

/** What kafkajs calls a batch: all that a fetch brought of a partition. */
export function fetchOf(batch: Batch): Fetch {
  const { topic, partition, fetchedOffset, rawMessages } = batch as Batch & FetchedBatch
  const { bytes, aborted, lastStableOffset } = rawMessages
  const highWatermark = toOffset(batch.highWatermark)
  // a broker that does not know it says −1
  const readableEnd = lastStableOffset === -1 ? highWatermark : lastStableOffset
  return { topic, partition, bytes, aborted, highWatermark, readableEnd, fetchedOffset: toOffset(fetchedOffset) }
}

/** One partition from an offset on, also what no transaction has committed yet. */
export async function fetchUncommitted(
  leader: Broker,
  topic: string,
  position: { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number },
): Promise<FetchedPartition> {
  const { partition, maxBytes } = position
  const asked = { isolationLevel: READ_UNCOMMITTED, maxWaitTime: FETCH_WAIT, minBytes: 1, maxBytes }
  const { responses } = (await leader.fetch({ ...asked, topics: [{ topic, partitions: [position] }] })) as Answer
  const answer = responses[0]?.partitions[0]
  if (!answer) throw new BcodError('KAFKA_FAILED', 'the answer to a fetch is empty', { place: topic })
  const { bytes } = answer.messages
  return { topic, partition, bytes, aborted: [], highWatermark: toOffset(answer.highWatermark) }
}

const READ_UNCOMMITTED = 0
const FETCH_WAIT = 100

/** In the place of a list of messages. kafkajs makes its batch by filtering it, and then holds an empty one. */
class RawMessages {
  aborted: readonly AbortedTransaction[] = []
  lastStableOffset = -1

  constructor(readonly bytes: Buffer) {}

  filter(): readonly [] {
    return []
  }
}

interface FetchedBatch {
  readonly fetchedOffset: string
  readonly rawMessages: RawMessages
}

interface Answer {
  readonly responses: readonly {
    readonly partitions: readonly {
      readonly highWatermark: string
      readonly lastStableOffset?: string
      readonly abortedTransactions?: readonly AbortedTransaction[]
      readonly messages: RawMessages
    }[]
  }[]
}

interface Decoder {
  readInt32(): number
  readBytes(length: number): Buffer
}

const require = createRequire(import.meta.url)

/** Decoders of all answers from version 4 on, which brokers have spoken since Kafka 0.11, take this when they are loaded. */
const decodeMessages = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages')
require(decodeMessages)
const loaded = require.cache[decodeMessages]
if (!loaded) throw new Error('kafkajs keeps its decoder of fetched records elsewhere')
loaded.exports = async (decoder: Decoder): Promise<RawMessages> => {
  const size = decoder.readInt32()
  return new RawMessages(size > 0 ? decoder.readBytes(size) : Buffer.alloc(0))
}

const broker = (require('kafkajs/src/broker') as { prototype: Broker }).prototype
const { fetch } = broker
broker.fetch = async function (request) {
  const answer = (await fetch.call(this, request)) as Answer
  for (const { messages, abortedTransactions, lastStableOffset } of answer.responses.flatMap(
    ({ partitions }) => partitions,
  )) {
    if (!(messages instanceof RawMessages))
      throw new BcodError('KAFKA_FAILED', 'the broker is older than Kafka 0.11, or kafkajs was used before bcod')
    messages.aborted = abortedTransactions ?? []
    messages.lastStableOffset = toOffset(lastStableOffset ?? '-1')
  }
  return answer
}

/** kafkajs calls back for every fetch that brought bytes: what they hold, records or not, is told there. */
const batch = (require('kafkajs/src/consumer/batch') as { prototype: FetchedBatch & { isEmpty(): boolean } }).prototype
batch.isEmpty = function () {
  return this.rawMessages.bytes.length === 0
}
