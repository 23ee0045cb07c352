import { BcodError } from '../../errors.js'
import { versionStep } from '../versions/version.js'
import type { VersionState } from '../versions/version-record.js'
import type { ArmPlan } from './arm-plan.js'

/** Names that lead to versions. */
export const ALIASES = ['candidate', 'canary', 'live', 'previous'] as const
export type Alias = (typeof ALIASES)[number]
export const isAlias = (name: string): name is Alias => (ALIASES as readonly string[]).includes(name)
export type Aliases = Readonly<Record<Alias, string | null>>

/** Why something was moved. */
export const CAUSES = [
  ...['added', 'published', 'promoted', 'refused', 'rolled back', 'pinned', 'unpinned', 'resumed', 'removed'],
  ...['canary started', 'canary refused', 'canary rolled back', 'control set'],
] as const
export type Cause = (typeof CAUSES)[number]

/** What holds in a registry after one move. */
export interface RegistryState {
  readonly aliases: Aliases
  /** Moves of an older bcod have none. */
  readonly arms?: ArmPlan
  /** The version that `live` stays at whatever is learnt; null: none. */
  readonly pinned: string | null
  /** After a rollback: nothing is published or learnt until somebody says so. */
  readonly frozen: boolean
  /** The version that learning is to go on from; the daemon does so at its next look. Absent: no other one is asked for. */
  readonly resumeFrom?: ResumeFrom | null
  /** Every version of the registry. */
  readonly states: Readonly<Record<string, VersionState>>
}

/** Somebody asks to go on from an older version. */
export interface ResumeFrom {
  readonly version: string
  /** The move that asked for it. */
  readonly generation: number
}

/** One entry of the log of moves: all that holds afterwards. */
export interface Move extends RegistryState {
  /** Counts the moves; 0 is what was there before the first. */
  readonly generation: number
  /** RFC 3339. */
  readonly time: string
  /** Who moved: `daemon`, `admin`, `cli`. */
  readonly by: string
  readonly cause: Cause
  /** Of the arms in `routing.json`. */
  readonly salt: string
}

/** What a move leaves, without the versions' states. */
export interface MoveSummary extends Aliases {
  readonly generation: number
  readonly pinned: string | null
  readonly frozen: boolean
  /** The version that the daemon is to go on from; absent if there is none. */
  readonly resume_from?: string
}

export function summaryOf({ generation, aliases, pinned, frozen, resumeFrom }: Move): MoveSummary {
  return { generation, ...aliases, pinned, frozen, ...(resumeFrom && { resume_from: resumeFrom.version }) }
}

/** What a move changes; null: what is asked for holds already. */
export type Change = Partial<RegistryState> | null

/** A new version is the candidate. One that is known already stays what it is. */
export function added({ aliases, states }: RegistryState, version: string): Change {
  if (Object.hasOwn(states, version)) return null
  return { aliases: { ...aliases, candidate: version }, states: { ...states, [version]: 'candidate' } }
}

/** A version becomes live; the one before it becomes `previous`. @throws ADAPTER_UNKNOWN */
export function madeLive(state: RegistryState, version: string): Change {
  const { aliases, states } = state
  requireVersion(state, version)
  if (aliases.live === version) return null
  const { candidate, canary, live, previous } = aliases
  return {
    aliases: {
      candidate: candidate === version ? null : candidate,
      canary: null,
      live: version,
      previous: live ?? (previous === version ? null : previous),
    },
    // what a canary was compared with is no longer live
    ...withoutCanary(state),
    states: {
      ...states,
      ...(canary !== null && { [canary]: 'refused' }),
      ...(live !== null && { [live]: 'retired' }),
      [version]: 'live',
    },
  }
}

/** The arms without that of the canary. */
export const withoutCanary = ({ arms }: RegistryState): Pick<RegistryState, 'arms'> =>
  arms?.canary ? { arms: { ...arms, canary: null } } : {}

/** In these a version has had its turn. If nothing is live, one that was may be so again. */
const DECIDED: readonly unknown[] = ['refused', 'rolled_back']

/** Whether nobody but a person may make a version live. */
export const isHeld = ({ aliases, frozen, pinned, states }: RegistryState, version: string): boolean =>
  frozen ||
  pinned !== null ||
  DECIDED.includes(states[version]) ||
  (states[version] === 'retired' && aliases.live !== null)

/** A candidate is refused. @throws ADAPTER_UNKNOWN */
export function refused(state: RegistryState, version: string): Change {
  const { aliases, states } = state
  requireVersion(state, version)
  if (states[version] === 'refused' || version === aliases.live) return null
  return {
    aliases: {
      ...aliases,
      candidate: aliases.candidate === version ? null : aliases.candidate,
      canary: aliases.canary === version ? null : aliases.canary,
    },
    ...(aliases.canary === version && withoutCanary(state)),
    states: { ...states, [version]: 'refused' },
  }
}

/**
 * The way back: an older version is live, everything newer that was not refused is marked, and the registry is frozen.
 *
 * @param to  null: the one that was live before
 * @throws ADAPTER_UNKNOWN, ADAPTER_NO_PREVIOUS
 */
export function rolledBack(state: RegistryState, to: string | null): Change {
  const { aliases, states } = state
  const target = to ?? aliases.previous
  if (target === null) throw new BcodError('ADAPTER_NO_PREVIOUS', 'there is no previous version')
  requireVersion(state, target)
  const step = versionStep(target) as number
  if (aliases.live !== null && step > (versionStep(aliases.live) as number)) {
    const remedy = `Use bcod adapters promote ${target}.`
    throw new BcodError('ADAPTER_NO_PREVIOUS', `${target} is newer than the live version ${aliases.live}`, { remedy })
  }
  const marked = Object.entries(states).map(([version, was]) => {
    const isNewer = (versionStep(version) as number) > step
    return [version, isNewer && was !== 'refused' ? 'rolled_back' : was] as const
  })
  const older = Object.keys(states)
    .filter((version) => (versionStep(version) as number) < step && states[version] === 'retired')
    .sort(byStep)
  return {
    aliases: { candidate: null, canary: null, live: target, previous: older.at(-1) ?? null },
    ...withoutCanary(state),
    states: { ...Object.fromEntries(marked), [target]: 'live' },
    pinned: null,
    frozen: true,
    resumeFrom: null,
  }
}

/** `live` goes to a version and stays there. @throws ADAPTER_UNKNOWN */
export function pinned(state: RegistryState, version: string): Change {
  const { pinned: before, aliases } = state
  if (before === version && aliases.live === version) return null
  // nothing else may become live: there is nothing to test
  const ended = aliases.canary === null ? null : refused(state, aliases.canary)
  return { ...ended, ...madeLive(state, version), pinned: version }
}

export const unpinned = (state: RegistryState): Change => (state.pinned === null ? null : { pinned: null })

export const resumed = ({ frozen }: RegistryState): Change => (frozen ? { frozen: false, resumeFrom: null } : null)

/** Learning is to go on from a version. Until it does, nothing is published or learnt. @throws ADAPTER_UNKNOWN */
export function resumeAsked(current: Move, version: string): Change {
  requireVersion(current, version)
  return { frozen: true, resumeFrom: { version, generation: current.generation + 1 } }
}

/** Learning has gone on as was asked; nothing if something else was asked for since. */
export const resumeDone = ({ resumeFrom }: RegistryState, asked: ResumeFrom): Change =>
  resumeFrom?.generation === asked.generation ? { frozen: false, resumeFrom: null } : null

/** Versions are no longer part of the registry. */
export function removed({ states }: RegistryState, versions: readonly string[]): Change {
  if (versions.length === 0) return null
  return { states: Object.fromEntries(Object.entries(states).filter(([version]) => !versions.includes(version))) }
}

/**
 * The versions that nobody needs: all but the newest `keep`, those that an alias or a pin holds, and those that are held
 * otherwise. Oldest first.
 */
export function dispensable(state: RegistryState, keep: number, others: readonly string[]): readonly string[] {
  const { aliases, pinned, arms, resumeFrom } = state
  const held = new Set([...Object.values(aliases), pinned, arms?.control?.version, resumeFrom?.version, ...others])
  return Object.keys(state.states)
    .sort(byStep)
    .slice(0, -keep)
    .filter((version) => !held.has(version))
}

/** Without what has gone from the store since: its aliases lead nowhere. */
export function withoutMissing<State extends RegistryState>(
  state: State,
  isThere: (version: string) => boolean,
): State {
  const found = (version: string | null) => (version !== null && isThere(version) ? version : null)
  const { candidate, canary, live, previous } = state.aliases
  const { arms } = state
  const control = arms?.control ?? null
  const isControlThere = control === null || control.version === null || isThere(control.version)
  return {
    ...state,
    ...(arms && {
      arms: { ...arms, control: isControlThere ? control : null, canary: found(canary) === null ? null : arms.canary },
    }),
    aliases: { candidate: found(candidate), canary: found(canary), live: found(live), previous: found(previous) },
    pinned: found(state.pinned),
    states: Object.fromEntries(Object.entries(state.states).filter(([version]) => isThere(version))),
  }
}

/** @throws ADAPTER_UNKNOWN */
export function requireVersion({ states }: RegistryState, version: string): void {
  if (!Object.hasOwn(states, version)) throw new BcodError('ADAPTER_UNKNOWN', `there is no ${JSON.stringify(version)}`)
}

export const byStep = (a: string, b: string): number => (versionStep(a) ?? 0) - (versionStep(b) ?? 0)
