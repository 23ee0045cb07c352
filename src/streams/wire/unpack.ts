import { BcodError } from '../../errors.js'
import type { Budget } from './budget.js'
import { gunzip } from './gzip.js'
import { unlz4 } from './lz4.js'
import { unsnappy } from './snappy.js'
import { unzstd } from './zstd.js'

/** Kafka's numbers of the codecs, in the lowest three bits of a batch's attributes. 0 is none. */
const CODECS = [
  null,
  { name: 'gzip', unpack: gunzip },
  { name: 'snappy', unpack: unsnappy },
  { name: 'lz4', unpack: unlz4 },
  { name: 'zstd', unpack: unzstd },
] as const

export const CODEC_MASK = 7

/**
 * What Kafka's own decoder makes of these bytes, within the budget. Without a codec they are returned as they are, and
 * cost as much.
 *
 * @throws KAFKA_BATCH_DAMAGED, KAFKA_BATCH_TOO_LARGE, KAFKA_CODEC_UNKNOWN
 */
export function unpack(attributes: number, packed: Buffer, budget: Budget): Buffer {
  const number = attributes & CODEC_MASK
  const codec = CODECS[number]
  if (codec === undefined) throw new BcodError('KAFKA_CODEC_UNKNOWN', `Kafka has no codec of number ${number}`)
  if (codec !== null) return codec.unpack(packed, budget)
  budget.spend(packed.length)
  return packed
}
