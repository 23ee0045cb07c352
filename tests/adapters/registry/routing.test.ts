import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { type ArmPlan, NO_ARMS } from '../../../src/adapters/moves/arm-plan.js'
import type { Move } from '../../../src/adapters/moves/move.js'
import { armAt, armOf, routingOf, userFraction } from '../../../src/adapters/registry/routing.js'

const CONTROL = { version: null, model: 'llama', share: 0.1 }

/** What holds while v00000003 is live, and v00000004 is the n-th canary. */
function move(arms: Partial<ArmPlan> = {}, live: string | null = 'v00000003'): Move {
  const canary = arms.canary ? 'v00000004' : null
  return {
    ...{ generation: 7, time: '2026-01-01T00:00:00Z', by: 'daemon', cause: 'published', salt: 'other' },
    ...{ aliases: { candidate: null, canary, live, previous: null }, arms: { ...NO_ARMS, ...arms } },
    ...{ pinned: null, frozen: false, states: {} },
  }
}

const nth = (canaries: number, share = 0.2) => ({ canaries, canary: { share, started: '2026-01-01T00:00:00Z' } })
const shares = (...args: Parameters<typeof move>) =>
  routingOf(move(...args), 'bcod').arms.map(({ name, share }) => [name, Math.round(share * 1e6) / 1e6])

it('the fraction of a user is what Python computes from SHA-256', () => {
  const { fractions } = JSON.parse(readFileSync('tests/golden/canary/vectors.json', 'utf8')) as {
    fractions: readonly { salt: string; key: string; fraction: number }[]
  }
  for (const { salt, key, fraction } of fractions) expect(userFraction(salt, key)).toBe(fraction)
  expect(fractions).toHaveLength(10)
})

it('everybody gets the live version, and nobody anything before there is one', () => {
  expect(routingOf(move(), 'bcod')).toEqual({
    ...{ generation: 7, name: 'bcod', salt: 'other' },
    arms: [{ name: 'live', version: 'v00000003', model: 'bcod-v00000003', share: 1 }],
  })
  expect(routingOf(move({ control: CONTROL }, null), 'bcod').arms).toEqual([])
})

it('control comes first and keeps its users whatever the canary is', () => {
  expect(shares({ control: CONTROL })).toEqual([
    ['control', 0.1],
    ['live', 0.9],
  ])
  expect(shares({ control: CONTROL, ...nth(1) })).toEqual([
    ['control', 0.1],
    ['canary', 0.2],
    ['live', 0.7],
  ])
  expect(routingOf(move({ control: CONTROL, ...nth(1) }), 'bcod').arms.slice(0, 2)).toEqual([
    { name: 'control', ...CONTROL },
    { name: 'canary', version: 'v00000004', model: 'bcod-v00000004', share: 0.2 },
  ])
})

it('each canary has the next slice of users, and the first one again when all have had a turn', () => {
  const slice = (n: number) => {
    const { arms } = routingOf(move({ control: CONTROL, ...nth(n) }), 'bcod')
    const inside = Array.from({ length: 1000 }, (_, i) => (i + 0.5) / 1000).filter(
      (f) => armAt(arms, f)?.name === 'canary',
    )
    return [inside[0], inside.at(-1)]
  }
  expect([1, 2, 3, 4, 5].map(slice)).toEqual([
    [0.1005, 0.2995],
    [0.3005, 0.4995],
    [0.5005, 0.6995],
    [0.7005, 0.8995],
    [0.1005, 0.2995],
  ])
})

it('the shares add up to 1, and a user has one arm', () => {
  for (const share of [0.01, 0.07, 0.1, 0.3, 0.45, 0.5])
    for (let n = 1; n < 120; n++) {
      const { arms, salt } = routingOf(move({ control: CONTROL, ...nth(n, share) }), 'bcod')
      expect(arms.reduce((sum, each) => sum + each.share, 0)).toBeCloseTo(1, 12)
      expect(arms.filter(({ name }) => name === 'canary')).toHaveLength(1)
      expect(arms.every((each) => each.share > 0)).toBe(true)
      expect(armAt(arms, 1 - 2 ** -53)).not.toBeNull()
      // user-2 is at 0.70…, as Python says
      expect(armOf({ arms, salt }, 'user-2')).toBe(armAt(arms, 0.70171797046012))
    }
})
