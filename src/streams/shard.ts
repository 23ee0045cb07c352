import { filter, type MonoTypeOperatorFunction } from 'rxjs'
import { idText } from '../events/fields.js'
import { positionId } from '../events/position.js'
import type { LogRecord } from '../events/types.js'
import { KeyHash } from './collections/key-hash.js'
import type { Decoded } from './decode.js'

export interface ShardOptions {
  /** 0 … count − 1. */
  readonly shard: number
  /** How many daemons share the topic, each with its group and its adapter. */
  readonly shards: number
}

/** Which of the daemons that share a topic an event belongs to: all votes on one completion to one of them. */
export class Shard {
  private readonly hash = new KeyHash(SHARD_KEY)

  constructor(private readonly options: ShardOptions) {}

  /** By the subject; an event without one, by its id; a bare row, by its position. */
  owns({ record, envelope }: Decoded): boolean {
    if (envelope === null) return this.ownsKey(Buffer.from(record.key ?? []).toString())
    const { subject = envelope.subject, id } = envelope.attributes ?? {}
    return this.ownsKey(idText(subject) ?? idText(id) ?? positionId(record))
  }

  /** Of a record that cannot be decoded one daemon writes the dead letter. */
  ownsUndecoded(record: LogRecord): boolean {
    return this.ownsKey(positionId(record))
  }

  private ownsKey(key: string): boolean {
    const { shard, shards } = this.options
    return shards === 1 || Math.floor(this.hash.of(key).fraction * shards) === shard
  }
}

/**
 * Passes this daemon's events; the others end as `other_shard`.
 *
 *     decoded$.pipe(onlyShard(new Shard({ shard: 0, shards: 4 }), (record) => drop(record, 'other_shard')))
 */
export function onlyShard(shard: Shard, other: (record: LogRecord) => void): MonoTypeOperatorFunction<Decoded> {
  return filter((decoded) => {
    const isOwn = shard.owns(decoded)
    if (!isOwn) other(decoded.record)
    return isOwn
  })
}

/**
 * Where records go that cannot be decoded: to `reject` if this daemon is the one to write their dead letter, else they
 * end as `other_shard`.
 */
export const rejectOwn =
  <Rest extends readonly unknown[]>(
    shard: Shard,
    reject: (record: LogRecord, ...reason: Rest) => void,
    drop: (record: LogRecord, reason: 'other_shard') => void,
  ) =>
  (record: LogRecord, ...reason: Rest): void =>
    shard.ownsUndecoded(record) ? reject(record, ...reason) : drop(record, 'other_shard')

/** Keeps this choice independent of the hold-out's. */
const SHARD_KEY = 0x73686172
