import type { Move } from '../adapters/moves/move.js'
import { type ArmName, armAt, type Routing, userFraction } from '../adapters/registry/routing.js'
import { answeringVersion, versionStep } from '../adapters/versions/version.js'
import type { Feedback } from '../events/types.js'

/** Why a vote counts for no arm: its version is none of an arm's, its user has another arm, or it names another one. */
export type Unmatched = 'version' | 'user' | 'arm'

/** What holds when a vote is matched with the arms. */
export interface Held {
  readonly move: Move
  readonly routing: Routing
}

type Vote = Pick<Feedback, 'user' | 'adapter' | 'arm'>

/**
 * The one arm that the version, the user and what the vote says of its arm agree on. A user of the canary's slice whom a
 * live version has answered is one who was answered before the test began: for the uplift that is live.
 *
 * @param wereLive  steps of the versions that are or were live
 */
export function armOfVote(
  vote: Vote,
  { move, routing }: Held,
  wereLive: ReadonlySet<number>,
): { readonly arm: ArmName; readonly isInTrial: boolean } | Unmatched {
  const { user, adapter, arm: claimed } = vote
  const version = adapter === null ? null : answeringVersion(adapter, routing.name)
  const answering = answeringArms(version, vote, move, wereLive)
  if (answering.length === 0) return 'version'
  // nobody knows by what a router chose the arm of somebody without a name
  if (user === null && claimed === undefined) return 'arm'
  const own = user === null ? null : (armAt(routing.arms, userFraction(routing.salt, user))?.name ?? null)
  const fitting = answering.filter((arm) => own === null || arm === own || (arm === 'live' && own === 'canary'))
  if (fitting.length === 0) return 'user'
  const arm = fitting.find((each) => claimed === undefined || each === claimed)
  if (arm === undefined) return 'arm'
  const isLive = arm === 'live' && version === move.aliases.live && (own === null || own === 'live')
  return { arm, isInTrial: arm === 'canary' || isLive }
}

/** The arms whose answers are of that version. */
function answeringArms(
  version: string | null,
  { adapter, arm }: Vote,
  { aliases, arms }: Move,
  wereLive: ReadonlySet<number>,
): readonly ArmName[] {
  const control = arms?.control ?? null
  // without a version it is the base only if the vote says so: most votes without one are of senders that never name it
  const isBase = control?.version === null && (adapter === null ? arm === 'control' : adapter === control.model)
  const isControl = control !== null && (isBase || (version !== null && version === control.version))
  const isLive = version !== null && wereLive.has(versionStep(version) as number)
  return [
    ...(version !== null && version === aliases.canary ? (['canary'] as const) : []),
    ...(isControl ? (['control'] as const) : []),
    ...(isLive ? (['live'] as const) : []),
  ]
}
