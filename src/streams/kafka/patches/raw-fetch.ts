import { createRequire } from 'node:module'
import type { Broker } from 'kafkajs'
import { BcodError } from '../../../errors.js'
import type { AbortedTransaction } from '../../wire/transactions.js'
import { toOffset } from '../offsets.js'
import { prototypeOf } from './kafkajs.js'

const require = createRequire(import.meta.url)

/** In the place of a list of messages. kafkajs makes its batch by filtering it, and then holds an empty one. */
export class RawMessages {
  aborted: readonly AbortedTransaction[] = []
  lastStableOffset = -1

  constructor(readonly bytes: Buffer) {}

  filter(): readonly [] {
    return []
  }
}

/** kafkajs' answer to a fetch, with bytes in the place of messages. */
export interface FetchAnswer {
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

/** What kafkajs calls a batch: all that a fetch brought of a partition. */
export interface FetchedBatch {
  readonly fetchedOffset: string
  readonly rawMessages: RawMessages
}

/**
 * kafkajs no longer takes fetched records apart: what a broker sent comes out as bytes, for streams/wire. Its own
 * decoder loses, repeats and stops; docs/adr/016-own-decoder.md has the cases.
 *
 * Reported: https://github.com/tulios/kafkajs/issues/715 (open) for batches that it cannot take apart and stops at. No
 * upstream report found for the others: kafkajs 2.2.4, src/protocol/requests/fetch/v4/decodeMessages.js.
 */
export function handOnRawFetches(): void {
  replaceDecoder()
  keepFetchesWithBytes()
}

/** Decoders of all answers from version 4 on, which brokers have spoken since Kafka 0.11, take this when they are loaded. */
function replaceDecoder(): void {
  const decodeMessages = require.resolve('kafkajs/src/protocol/requests/fetch/v4/decodeMessages')
  require(decodeMessages)
  const loaded = require.cache[decodeMessages]
  if (!loaded) throw new Error('kafkajs keeps its decoder of fetched records elsewhere')
  loaded.exports = async (decoder: Decoder): Promise<RawMessages> => {
    const size = decoder.readInt32()
    return new RawMessages(size > 0 ? decoder.readBytes(size) : Buffer.alloc(0))
  }

  const broker = prototypeOf<Broker>('kafkajs/src/broker')
  const { fetch } = broker
  broker.fetch = async function (request) {
    const answer = (await fetch.call(this, request)) as FetchAnswer
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
}

/** kafkajs calls back for every fetch that brought bytes: what they hold, records or not, is told there. */
function keepFetchesWithBytes(): void {
  const batch = prototypeOf<FetchedBatch & { isEmpty(): boolean }>('kafkajs/src/consumer/batch')
  batch.isEmpty = function () {
    return this.rawMessages.bytes.length === 0
  }
}
