import { expect, test } from 'vitest'
import { decodeEnvelope } from '../../src/events/envelope.js'
import type { LogRecord } from '../../src/events/types.js'
import { onlyShard, Shard } from '../../src/streams/shard.js'
import { cloudEvent, record } from '../events/records.js'
import { marbles } from './marbles.js'

const SHARDS = 4
const all = Array.from({ length: SHARDS }, (_, shard) => new Shard({ shard, shards: SHARDS }))

const decoded = (raw: LogRecord) => ({ record: raw, envelope: decodeEnvelope(raw.value!, raw.headers, 2 ** 20) })
const event = (subject: string, change: Partial<LogRecord> = {}) =>
  decoded({ ...record(cloudEvent({}, { subject })), ...change })
const ownersOf = (owns: (shard: Shard) => boolean) => all.flatMap((shard, i) => (owns(shard) ? [i] : []))

test('every subject belongs to exactly one shard, wherever it stands, and each shard has its part', () => {
  const sizes = new Array<number>(SHARDS).fill(0)
  for (let i = 0; i < 4_000; i++) {
    const owners = ownersOf((shard) => shard.owns(event(`completion-${i}`)))
    expect(owners).toHaveLength(1)
    const elsewhere = event(`completion-${i}`, { partition: 5, offset: i, key: Buffer.from('another') })
    expect(ownersOf((shard) => shard.owns(elsewhere))).toEqual(owners)
    sizes[owners[0]!]! += 1
  }
  // 1,000 each; binomial, standard deviation 27
  for (const size of sizes) expect(Math.abs(size - 1_000)).toBeLessThan(5 * 27)
})

test('a tombstone belongs to the shard of the subject that its key names', () => {
  for (let i = 0; i < 50; i++) {
    const tombstone = { record: { ...record(null), key: Buffer.from(`completion-${i}`) }, envelope: null }
    const owners = ownersOf((shard) => shard.owns(event(`completion-${i}`)))
    expect(ownersOf((shard) => shard.owns(tombstone))).toEqual(owners)
  }
})

test('events without a subject, bare rows and records of no use belong to one shard each', () => {
  const anonymous = decoded(record(cloudEvent({}, { subject: undefined })))
  const row = decoded(record({ prompt: 'a', completion: 'b', label: true }))
  for (const each of [anonymous, row]) expect(ownersOf((shard) => shard.owns(each))).toHaveLength(1)
  expect(ownersOf((shard) => shard.ownsUndecoded(record(null)))).toHaveLength(1)
})

test('the others end as other_shard; with one shard everything passes', () => {
  const values = Object.fromEntries(['a', 'b', 'c'].map((name, i) => [name, event(`completion-${i}`, { offset: i })]))
  for (const shard of [...all, new Shard({ shard: 0, shards: 1 })])
    marbles(({ cold, expectObservable, flush }) => {
      const other: number[] = []
      const passes = ['a', 'b', 'c'].map((name) => (shard.owns(values[name]!) ? name : '-'))
      const source = cold('-a-b-c-|', values)
      expectObservable(source.pipe(onlyShard(shard, ({ offset }) => other.push(offset)))).toBe(
        `-${passes.join('-')}-|`,
        values,
      )
      flush()
      expect(other).toEqual(passes.flatMap((name, i) => (name === '-' ? [i] : [])))
    })
  expect(new Shard({ shard: 0, shards: 1 }).owns(values.a!)).toBe(true)
})
