import { isDeepStrictEqual } from 'node:util'
import { type Control, NO_ARMS } from './arm-plan.js'
import { type Change, isHeld, type RegistryState, requireVersion, withoutCanary } from './move.js'

/**
 * A version becomes the canary, which a share of the users gets. Only one is under test at a time.
 *
 * @param time  RFC 3339
 * @throws ADAPTER_UNKNOWN
 */
export function canaryStarted(
  state: RegistryState,
  version: string,
  { share, time }: { readonly share: number; readonly time: string },
): Change {
  const { aliases, states, arms = NO_ARMS } = state
  requireVersion(state, version)
  if (isHeld(state, version) || aliases.live === null || aliases.canary !== null || aliases.live === version)
    return null
  return {
    aliases: { ...aliases, candidate: aliases.candidate === version ? null : aliases.candidate, canary: version },
    arms: { ...arms, canaries: arms.canaries + 1, canary: { share, started: time } },
    states: { ...states, [version]: 'canary' },
  }
}

/** The test of a canary ends, and it is not live. @param state  what becomes of it */
export function canaryEnded(current: RegistryState, version: string, state: 'refused' | 'rolled_back'): Change {
  const { aliases, states } = current
  if (aliases.canary !== version) return null
  return {
    aliases: { ...aliases, canary: null },
    ...withoutCanary(current),
    states: { ...states, [version]: state },
  }
}

/** Who is to get what is not learnt. */
export function controlSet({ arms = NO_ARMS }: RegistryState, control: Control | null): Change {
  return isDeepStrictEqual(arms.control, control) ? null : { arms: { ...arms, control } }
}
