import { expect, test } from 'vitest'
import { VoteLedger, voteKey } from '../../src/streams/vote-ledger.js'

test('remembers the last label of a vote until it is taken back', () => {
  const ledger = new VoteLedger(10)
  const key = voteKey('c1', 'u')
  expect(ledger.lastLabel(key)).toBeNull()
  ledger.remember(key, false)
  expect(ledger.lastLabel(key)).toBe(false)
  ledger.remember(key, true)
  expect(ledger.lastLabel(key)).toBe(true)
  ledger.forget(key)
  expect(ledger.lastLabel(key)).toBeNull()
})

test('taking back an unknown vote takes no room', () => {
  const ledger = new VoteLedger(1)
  ledger.remember('a', true)
  ledger.forget('b')
  expect(ledger.lastLabel('a')).toBe(true)
})

test('voters and completions are told apart, and no user from one with an empty id', () => {
  const keys = [voteKey('c', null), voteKey('c', ''), voteKey('c', 'u'), voteKey('cu', ''), voteKey('1:c', null)]
  expect(new Set(keys).size).toBe(keys.length)
})

test('goes on the same after a restore', () => {
  const ledger = new VoteLedger(10)
  ledger.remember('a', true)
  ledger.remember('b', false)
  ledger.remember('c', true)
  ledger.forget('c')
  const restored = new VoteLedger(10)
  restored.restore(ledger.snapshot())
  expect(['a', 'b', 'c'].map((key) => restored.lastLabel(key))).toEqual([true, false, null])
})
