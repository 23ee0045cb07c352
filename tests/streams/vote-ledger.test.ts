import { expect, test } from 'vitest'
import { BoundedMap } from '../../src/streams/collections/bounded-map.js'
import { VoteLedger, voteKey } from '../../src/streams/vote-ledger.js'

const voter = (subject: string | null, user: string | null, source = 'chat') => ({ source, subject, user })
const labels = (ledger: VoteLedger, ...of: Parameters<typeof voter>) =>
  [true, false].filter((label) => ledger.has(voter(...of), label))

test('remembers every label with which a vote went on', () => {
  const ledger = new VoteLedger(10)
  expect(labels(ledger, 'c1', 'u')).toEqual([])
  ledger.remember(voter('c1', 'u'), false)
  expect(labels(ledger, 'c1', 'u')).toEqual([false])
  ledger.remember(voter('c1', 'u'), true)
  expect(labels(ledger, 'c1', 'u')).toEqual([true, false])
  for (const other of [voter('c1', 'v'), voter('c2', 'u'), voter('c1', 'u', 'survey'), voter('c1', null)])
    expect(ledger.has(other, true)).toBe(false)
})

test('voters, completions and sources are told apart, and no user from one with an empty id', () => {
  const voters = [
    ...[voter('c', null), voter('c', ''), voter('c', 'u'), voter('cu', ''), voter('1:c', null)],
    ...[voter('c', 'u', ''), voter('c', 'u', 'chat4'), voter('c', 'u', 'ch'), voter('atc', 'u', 'ch')],
  ]
  expect(new Set(voters.map(voteKey)).size).toBe(voters.length)
})

test('goes on the same after a restore', () => {
  const ledger = new VoteLedger(10)
  ledger.remember(voter('a', 'u'), true)
  ledger.remember(voter('b', 'u'), false)
  const restored = new VoteLedger(10)
  restored.restore(ledger.snapshot())
  expect(labels(restored, 'a', 'u')).toEqual([true])
  expect(labels(restored, 'b', 'u')).toEqual([false])
  expect(labels(restored, 'a', 'u', 'survey')).toEqual([])
})

test('what a checkpoint of before the source was in the key remembers holds for every source', () => {
  // values of that format: 0 taken back, 1 down, 2 up; keys `length:subjectuser`, `-subject` without a user
  const older = new BoundedMap(10)
  older.merge('1:au', 2)
  older.merge('-a', 1)
  older.merge('1:bu', 0)
  const ledger = new VoteLedger(10)
  ledger.restore(older.snapshot())
  expect(labels(ledger, 'a', 'u')).toEqual([true])
  expect(labels(ledger, 'a', 'u', 'survey')).toEqual([true])
  expect(labels(ledger, 'a', null)).toEqual([false])
  expect(labels(ledger, 'b', 'u')).toEqual([])
  ledger.remember(voter('a', 'u'), false)
  expect(labels(ledger, 'a', 'u')).toEqual([true, false])
  expect(labels(ledger, 'a', 'u', 'survey')).toEqual([true])
})
