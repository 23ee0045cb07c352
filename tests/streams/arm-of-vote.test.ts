import { expect, it } from 'vitest'
import { routingOf } from '../../src/adapters/registry/routing.js'
import { armOfVote } from '../../src/streams/arm-of-vote.js'
import { firstCanary, underTest, usersOf, V1 } from '../support/arms.js'

const wereLive = new Set([1, 2])
const of = (user: string | null, adapter: string | null, arm?: string, move = underTest()) => {
  const matched = armOfVote(
    { user, adapter, ...(arm !== undefined && { arm }) },
    { move, routing: routingOf(move, 'bcod') },
    wereLive,
  )
  return typeof matched === 'string' ? matched : `${matched.arm}${matched.isInTrial ? '' : ' (not in the test)'}`
}
const [inControl] = usersOf('control', 1) as [string]
const [inLive] = usersOf('live', 1) as [string]
const [inCanary] = usersOf('canary', 1) as [string]

it.each([
  ['the live version to its own user', inLive, 'v00000002', undefined, 'live'],
  ['as servers name it', inLive, 'bcod-v00000002', undefined, 'live'],
  ['with its arm named', inLive, 'v00000002', 'live', 'live'],
  ['a version that was live before', inLive, 'v00000001', undefined, 'live (not in the test)'],
  ['the canary to its own user', inCanary, 'bcod-v00000003', undefined, 'canary'],
  ['the live version to a user whom the canary has now', inCanary, 'v00000002', undefined, 'live (not in the test)'],
  ['the base by its name', inControl, 'llama', undefined, 'control (not in the test)'],
  ['no version, and the arm says control', inControl, null, 'control', 'control (not in the test)'],
  ['no version', inControl, null, undefined, 'version'],
  ['no version, in the arm of live', inLive, null, 'live', 'version'],
  ['a version that was never live', inLive, 'v00000009', undefined, 'version'],
  ['a version of another name', inLive, 'other-v00000002', undefined, 'version'],
  ['the canary to a user of live', inLive, 'v00000003', undefined, 'user'],
  ['the canary to a user of live who claims it', inLive, 'v00000003', 'canary', 'user'],
  ['the canary to a user of control', inControl, 'v00000003', undefined, 'user'],
  ['the live version to a user of control', inControl, 'v00000002', undefined, 'user'],
  ['the base to a user of live', inLive, 'llama', 'control', 'user'],
  ['another arm named', inLive, 'v00000002', 'canary', 'arm'],
  ['an arm that is none', inLive, 'v00000002', 'treatment', 'arm'],
  ['nobody, with an arm', null, 'v00000003', 'canary', 'canary'],
  ['nobody, with an arm that does not have the version', null, 'v00000003', 'live', 'arm'],
  ['nobody, without an arm', null, 'v00000003', undefined, 'arm'],
])('%s', (_, user, adapter, arm, expected) => {
  expect(of(user, adapter, arm)).toBe(expected)
})

it('a control that was live before is control to its own users and live to the others', () => {
  const move = underTest({ arms: firstCanary({ control: { version: V1, model: `bcod-${V1}`, share: 0.2 } }) })
  expect(of(inControl, V1, undefined, move)).toBe('control (not in the test)')
  expect(of(inLive, V1, undefined, move)).toBe('live (not in the test)')
})
