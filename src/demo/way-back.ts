import { mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { versionStep } from '../adapters/version.js'
import type { ConfigFor } from '../config/requirements.js'

/**
 * Lets the next daemon go on from an older version, as docs/runbook.md has it: while no daemon runs, whatever is newer is
 * moved out of the directories of checkpoints and of versions. What came after it is then read and trained again.
 */
export function goBackTo(
  version: string,
  { checkpoint, adapters }: Pick<ConfigFor<'run'>, 'checkpoint' | 'adapters'>,
): void {
  const newest = versionStep(version) ?? 0
  moveAside(checkpoint.dir, (name) => Number(/^step-(\d+)$/.exec(name)?.[1] ?? 0) > newest)
  moveAside(adapters.dir, (name) => (versionStep(name) ?? 0) > newest)
}

function moveAside(directory: string, isNewer: (name: string) => boolean): void {
  const aside = `${directory}-abandoned`
  mkdirSync(aside, { recursive: true })
  for (const name of readdirSync(directory).filter(isNewer)) renameSync(join(directory, name), join(aside, name))
}
