import type { RegistryState } from '../../adapters/moves/move.js'
import { versionStep } from '../../adapters/versions/version.js'
import type { ConfigFor } from '../../config/requirements.js'

/** Whether there is anything to publish to beside the registry. */
export const hasServers = ({ targets }: Pick<ConfigFor<'run'>['publish'], 'targets'>): boolean =>
  targets.some(({ kind }) => kind !== 'directory')

/** The versions beside the live one that some users get. */
export function answeringVersions({ aliases, arms }: RegistryState): readonly string[] {
  if (aliases.live === null) return []
  const others = [aliases.canary, arms?.control?.version ?? null]
  return [...new Set(others.filter((version) => version !== null && version !== aliases.live))] as string[]
}

/** The live version, the one before it and others that were live, newest first, `keep` in all; then those of other arms. */
export function wantedVersions(state: RegistryState, keep: number): readonly string[] {
  const { live, previous } = state.aliases
  const { states } = state
  if (live === null) return []
  const retired = Object.keys(states)
    .filter((version) => states[version] === 'retired')
    .sort((a, b) => (versionStep(b) as number) - (versionStep(a) as number))
  const ordered = [live, ...(previous === null ? [] : [previous]), ...retired]
  return [...new Set([...[...new Set(ordered)].slice(0, keep), ...answeringVersions(state)])]
}
