import { expect, it } from 'vitest'
import { Sequences } from '../../../src/gateway/votes/sequences.js'

const labelled = (votes: readonly (readonly [label: boolean | null, time: number])[], capacity = 10) => {
  const sequences = new Sequences(capacity)
  return votes.map(([label, time]) => sequences.of('ann', label, time))
}

it('a double click has the sequence of the first click, a second vote later one of its own', () => {
  expect(
    labelled([
      [true, 1000],
      [true, 2999],
      [true, 5000],
    ]),
  ).toEqual(['1000', '1000', '5000'])
})

it('a vote that is changed and changed back is three votes, however fast', () => {
  const [up, down, again] = labelled([
    [true, 1000],
    [false, 1000],
    [true, 1000],
  ])
  expect(new Set([up, down, again]).size).toBe(3)
})

it('voters do not know of each other, and the oldest is forgotten', () => {
  const sequences = new Sequences(2)
  expect(['ann', 'bob', 'cid', 'ann'].map((voter, i) => sequences.of(voter, true, 100 + i))).toEqual([
    ...['100', '101', '102', '103'],
  ])
})
