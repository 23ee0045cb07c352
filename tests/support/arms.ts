import { type ArmPlan, NO_ARMS } from '../../src/adapters/moves/arm-plan.js'
import type { Move, RegistryState } from '../../src/adapters/moves/move.js'
import { type ArmName, armOf, routingOf } from '../../src/adapters/registry/routing.js'

export const V1 = 'v00000001'
export const V2 = 'v00000002'
const V3 = 'v00000003'

/** v00000001 is retired, v00000002 live and v00000003 the first canary; a fifth of the users are control. */
export function underTest({ aliases, arms, ...changes }: Partial<RegistryState> = {}): Move {
  return {
    ...{ generation: 9, time: '2026-01-01T00:00:00Z', by: 'daemon', cause: 'canary started', salt: 'salt' },
    ...{ pinned: null, frozen: false, states: { [V1]: 'retired', [V2]: 'live', [V3]: 'canary' } },
    aliases: aliases ?? { candidate: null, canary: V3, live: V2, previous: V1 },
    arms: arms ?? firstCanary(),
    ...changes,
  }
}

export const firstCanary = (changes: Partial<ArmPlan> = {}): ArmPlan => ({
  ...{ ...NO_ARMS, canaries: 1, canary: { share: 0.3, started: '2026-01-01T00:00:00Z' } },
  ...{ control: { version: null, model: 'llama', share: 0.2 }, ...changes },
})

/** The first `count` users of an arm: as `routing.test.ts` has tested it. */
export function usersOf(arm: ArmName, count: number, move = underTest()): readonly string[] {
  const routing = routingOf(move, 'bcod')
  const users: string[] = []
  for (let i = 0; users.length < count; i++) if (armOf(routing, `u${i}`)?.name === arm) users.push(`u${i}`)
  return users
}
