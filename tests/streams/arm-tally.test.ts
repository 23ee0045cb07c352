import { expect, it } from 'vitest'
import { NO_ARMS } from '../../src/adapters/moves/arm-plan.js'
import { ArmTally, type ArmTallyOptions } from '../../src/streams/arm-tally.js'
import { firstCanary, underTest, usersOf, V2 } from '../support/arms.js'
import { text, vote } from './events.js'

const DAY = 86_400_000

function tally(options: Partial<ArmTallyOptions> = {}, move = underTest()) {
  const made = new ArmTally({ isOn: true, period: 7 * DAY, alpha: 0.05, margin: 0.05, ...options })
  made.follow(move, 'bcod')
  return made
}

let next = 0
/** Votes of users of an arm on answers of its version, one each. */
function say(to: ArmTally, arm: 'control' | 'live' | 'canary', ups: number, downs: number, timestamp = 0): void {
  const adapter = { control: 'llama', live: 'v00000002', canary: 'bcod-v00000003' }[arm]
  for (const [i, user] of usersOf(arm, ups + downs).entries())
    to.push(vote(next++, { user, adapter, label: i < ups, timestamp }))
}
const counts = ({ rate }: { readonly rate: { users: number; votes: number; ups: number } } = { rate: NOTHING }) => [
  ...[rate.users, rate.votes, rate.ups],
]
const NOTHING = { users: 0, votes: 0, ups: 0 }

it('counts votes by arm: those of the test, and those of the period', () => {
  const arms = tally()
  say(arms, 'control', 3, 2)
  say(arms, 'live', 5, 1)
  say(arms, 'canary', 2, 2)
  expect(counts(arms.trial?.canary)).toEqual([4, 4, 2])
  expect(counts(arms.trial?.live)).toEqual([6, 6, 5])
  expect(counts(arms.period.live)).toEqual([6, 6, 5])
  expect(counts(arms.period.control)).toEqual([5, 5, 3])
})

it('tells what becomes of a vote, and counts none that does not fit', () => {
  const arms = tally()
  const [user] = usersOf('canary', 1) as [string]
  const fitting = vote(1, { user, adapter: 'v00000003' })
  expect(arms.push(fitting)).toEqual({ arm: 'canary', isNew: true })
  expect(arms.push(fitting)).toEqual({ arm: 'canary', isNew: false })
  expect(arms.push(vote(2, { user, adapter: null }))).toEqual({ unmatched: 'version' })
  expect(arms.push(vote(3, { user: usersOf('live', 1)[0]!, adapter: 'v00000003' }))).toEqual({ unmatched: 'user' })
  expect(counts(arms.trial?.canary)).toEqual([1, 1, 1])
  expect(tally({ isOn: false }).push(fitting)).toBeNull()
})

it('a vote that changes or is taken back does so at once, also one that hold-back will call a repeat', () => {
  const arms = tally()
  const [user] = usersOf('canary', 1) as [string]
  const on = (subject: string, label: boolean | null) => vote(next++, { user, subject, label, adapter: 'v00000003' })
  for (const subject of ['a', 'b', 'c']) arms.push(on(subject, true))
  arms.correct(on('a', false))
  arms.correct(on('b', null))
  expect(counts(arms.trial?.canary)).toEqual([1, 2, 1])
  arms.correct(on('b', true))
  expect(counts(arms.trial?.canary)).toEqual([1, 3, 2])
  arms.correct(vote(next++, { user: 'somebody else', subject: 'c', label: false }))
  expect(counts(arms.trial?.canary)).toEqual([1, 3, 2])
  arms.correct(vote(next++, { subject: 'c', label: null, ofAllUsers: true, user: null }))
  expect(counts(arms.trial?.canary)).toEqual([1, 2, 1])
})

it('votes without a user are one user for each conversation', () => {
  const arms = tally()
  for (const prompt of ['Hi', 'hi ', 'Bye'])
    arms.push(vote(next++, { user: null, adapter: 'v00000003', arm: 'canary', prompt: text(prompt) }))
  expect(counts(arms.trial?.canary)).toEqual([2, 3, 3])
})

it('the next canary begins with nothing, and the period goes on', () => {
  const arms = tally()
  say(arms, 'canary', 2, 2)
  say(arms, 'live', 2, 2)
  arms.follow(underTest({ arms: firstCanary({ canaries: 2 }) }), 'bcod')
  expect(counts(arms.trial?.canary)).toEqual([0, 0, 0])
  expect(counts(arms.period.live)).toEqual([4, 4, 2])
  arms.follow(underTest({ aliases: { candidate: null, canary: null, live: V2, previous: null } }), 'bcod')
  expect(arms.trial).toBeNull()
})

it('uplift is that of the period, of the last one until the new one has enough users, and of one control', () => {
  const arms = tally()
  say(arms, 'control', 60, 40)
  expect(arms.uplift).toBeNull()
  say(arms, 'live', 90, 10, DAY)
  const { value, low, high } = arms.uplift!
  expect(value).toBeCloseTo(0.3, 12)
  expect([low < 0.3, high > 0.3]).toEqual([true, true])
  say(arms, 'live', 10, 0, 8 * DAY)
  expect(counts(arms.period.live)).toEqual([10, 10, 10])
  expect(arms.uplift).toMatchObject({ value, low, high, began: 0 })
  say(arms, 'control', 50, 50, 8 * DAY)
  say(arms, 'live', 50, 50, 9 * DAY)
  // ten of the live users voted before
  expect(arms.uplift).toMatchObject({ began: 8 * DAY, value: expect.closeTo(60 / 110 - 0.5, 12) })
  arms.follow(underTest({ arms: { ...NO_ARMS, control: { version: null, model: 'llama', share: 0.3 } } }), 'bcod')
  expect([arms.uplift, counts(arms.period.control)]).toEqual([null, [0, 0, 0]])
})

it('a version that is rolled back still counts as one that was live', () => {
  const arms = tally()
  const states = { v00000001: 'live', v00000002: 'rolled_back' } as const
  const aliases = { candidate: null, canary: null, live: 'v00000001', previous: null }
  arms.follow(underTest({ states, aliases }), 'bcod')
  say(arms, 'live', 0, 3)
  expect(counts(arms.period.live)).toEqual([3, 3, 0])
})

it('goes on after a restart as if there had been none', () => {
  const whole = tally()
  let restarted = tally()
  for (let turn = 0; turn < 20; turn++) {
    const first = next
    for (const arms of [whole, restarted]) {
      next = first
      for (const arm of ['control', 'live', 'canary'] as const) say(arms, arm, turn % 4, (turn + 1) % 3, turn * DAY)
    }
    const state = restarted.snapshot()
    restarted = new ArmTally({ isOn: true, period: 7 * DAY, alpha: 0.05, margin: 0.05 })
    restarted.restore(state)
    restarted.follow(underTest(), 'bcod')
  }
  expect(restarted.snapshot()).toEqual(whole.snapshot())
  expect(counts(whole.trial?.canary)[1]).toBeGreaterThan(20)
})
