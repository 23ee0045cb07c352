import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ArmVotes } from '../../src/streams/arm-votes.js'
import { runs } from '../support/thorough.js'

/** Hashes spread over all 53 bits. */
const hash = (n: number) => ((n * 0x9e3779b97f4a7) % 2 ** 53) + 1
const said = (key: number, user: number, label: boolean) => ({
  ...{ key: hash(key), user: hash(user + 0.5), completion: hash(key), label },
})
const sums = ({ rate: { users, votes, ups, variance } }: ArmVotes) => ({ users, votes, ups, variance })

it('counts what each user has said last on each answer', () => {
  const votes = new ArmVotes()
  expect(votes.add(said(1, 1, true))).toBe(true)
  expect(votes.add(said(2, 1, true))).toBe(true)
  expect(votes.add(said(3, 2, false))).toBe(true)
  expect(votes.add(said(1, 1, true))).toBe(false)
  expect(sums(votes)).toMatchObject({ users: 2, votes: 3, ups: 2 })
  votes.correct(hash(1), false)
  votes.correct(hash(3), null)
  votes.correct(hash(4), true)
  expect(sums(votes)).toMatchObject({ users: 1, votes: 2, ups: 1 })
  votes.correct(hash(3), true)
  expect(sums(votes)).toMatchObject({ users: 2, votes: 3, ups: 2 })
  votes.takeBack(hash(2))
  expect(sums(votes)).toMatchObject({ users: 2, votes: 2, ups: 1 })
})

it('hears a user a hundred times, also one who takes everything back', () => {
  const votes = new ArmVotes()
  for (let key = 0; key < 10_000; key++) {
    votes.add(said(key, 1, false))
    if (key < 50) votes.correct(hash(key), null)
  }
  expect(sums(votes)).toMatchObject({ users: 1, votes: 50, ups: 0 })
})

it('beyond its capacity keeps whole users, chosen by their hash alone', () => {
  const votes = new ArmVotes(1000)
  for (let key = 0; key < 6000; key++) votes.add(said(key, key % 600, key % 3 === 0))
  const { users, votes: count } = votes.rate
  expect(count).toBeLessThanOrEqual(1000)
  expect(count).toBeGreaterThan(400)
  // ten votes of each, in all
  expect(count / users).toBe(10)
  const again = new ArmVotes(1000)
  for (let key = 5999; key >= 0; key--) again.add(said(key, key % 600, key % 3 !== 0))
  expect(again.rate.users).toBe(users)
})

it('is the same after any restart', () => {
  const step = fc.record({
    key: fc.nat(60),
    label: fc.constantFrom(true, false, null),
    what: fc.constantFrom('add', 'correct', 'takeBack', 'restart'),
  })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const whole = new ArmVotes(40)
      let restarted = new ArmVotes(40)
      for (const { key, label, what } of steps) {
        if (what === 'restart') {
          const next = new ArmVotes(40)
          next.restore(restarted.snapshot())
          restarted = next
        }
        for (const votes of [whole, restarted]) {
          // one voter has one user
          if (what === 'add' && label !== null) votes.add(said(key, key % 9, label))
          if (what === 'correct') votes.correct(hash(key), label)
          if (what === 'takeBack') votes.takeBack(hash(key))
        }
      }
      expect(sums(restarted)).toEqual(sums(whole))
      expect(restarted.snapshot()).toEqual(whole.snapshot())
    }),
    { numRuns: runs(500) },
  )
})
