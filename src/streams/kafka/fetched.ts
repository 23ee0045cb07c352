import type { Batch, Broker } from 'kafkajs'
import { BcodError } from '../../errors.js'
import type { FetchedPartition } from '../wire/portions.js'
import { toOffset } from './offsets.js'
import type { FetchAnswer, FetchedBatch } from './patches/raw-fetch.js'

/** A fetch of one partition: the request and its answer. */
export interface Fetch extends FetchedPartition {
  /** The offset requested. */
  readonly fetchedOffset: number
  /** The offset up to which records can be read: the last stable offset, or the high watermark. */
  readonly readableEnd: number
}

/** kafkajs calls a batch everything that a fetch returned for a partition. */
export function fetchOf(batch: Batch): Fetch {
  const { topic, partition, fetchedOffset, rawMessages } = batch as Batch & FetchedBatch
  const { bytes, aborted, lastStableOffset } = rawMessages
  const highWatermark = toOffset(batch.highWatermark)
  // −1: the broker does not know it
  const readableEnd = lastStableOffset === -1 ? highWatermark : lastStableOffset
  return { topic, partition, bytes, aborted, highWatermark, readableEnd, fetchedOffset: toOffset(fetchedOffset) }
}

/** Fetches one partition from an offset on, uncommitted records included. */
export async function fetchUncommitted(
  leader: Broker,
  topic: string,
  position: { readonly partition: number; readonly fetchOffset: string; readonly maxBytes: number },
): Promise<FetchedPartition> {
  const { partition, maxBytes } = position
  const asked = { isolationLevel: READ_UNCOMMITTED, maxWaitTime: FETCH_WAIT, minBytes: 1, maxBytes }
  const { responses } = (await leader.fetch({ ...asked, topics: [{ topic, partitions: [position] }] })) as FetchAnswer
  const answer = responses[0]?.partitions[0]
  if (!answer) throw new BcodError('KAFKA_FAILED', 'the answer to a fetch is empty', { place: topic })
  const { bytes } = answer.messages
  return { topic, partition, bytes, aborted: [], highWatermark: toOffset(answer.highWatermark) }
}

const READ_UNCOMMITTED = 0
const FETCH_WAIT = 100
