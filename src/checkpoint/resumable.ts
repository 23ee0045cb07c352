import { readdir } from 'node:fs/promises'

import { byStep, type RegistryState } from '../adapters/moves/move.js'
import { versionStep } from '../adapters/versions/version.js'

import { BcodError } from '../errors.js'
import { systemCode } from '../files/durable-files.js'
import { codedFailure } from './failure.js'
import { hasFiles, readManifest } from './manifest.js'
import { parseCheckpointName } from './snapshot.js'
import type { CheckpointStore } from './store.js'

/** What can be said of going on from a version. */
export interface Resumability {
  /** Null if nobody can say. */
  readonly resumable: boolean | null
  /** Why not, or why nobody can say. */
  readonly resumable_problem: string | null
}

/**
 * Which of some versions learning can go on from: those with a checkpoint of their step whose manifest is whole and whose
 * files have their sizes. What is in the files is not read; `CheckpointStore.wholeOfStep` does that.
 *
 * @param root  directory of the checkpoints; without it there are none
 * @throws CHECKPOINT_IO
 */
export async function resumableVersions(root: string, versions: readonly string[]): Promise<ReadonlySet<string>> {
  const whole = new Set<number>()
  const wanted = new Set(versions.map(versionStep))
  for (const name of await entriesOf(root)) {
    const step = parseCheckpointName(name)?.step
    if (step === undefined || !wanted.has(step) || whole.has(step)) continue
    if (await looksWhole(root, name)) whole.add(step)
  }
  return new Set(versions.filter((version) => whole.has(versionStep(version) ?? -1)))
}

/** What the contents of a version's checkpoint say, every byte of them. */
export async function resumability(
  store: Pick<CheckpointStore, 'wholeOfStep'>,
  version: string,
): Promise<Resumability> {
  try {
    await store.wholeOfStep(versionStep(version) ?? -1)
    return { resumable: true, resumable_problem: null }
  } catch (error) {
    if (!(error instanceof BcodError)) throw error
    if (error.code === 'ADAPTER_NOT_RESUMABLE') return { resumable: false, resumable_problem: error.message }
    return { resumable: null, resumable_problem: error.line }
  }
}

/**
 * The versions to go on from after a rollback, newest first: those that were not found bad. null if the checkpoints
 * cannot be read.
 */
export async function resumeOffer(
  root: string,
  move: Pick<RegistryState, 'states'>,
): Promise<readonly string[] | null> {
  const sound = soundVersions(move)
  const resumable = await knownResumable(root, sound)
  return resumable && sound.filter((version) => resumable.has(version))
}

/** Those that nobody has found bad, newest first. */
export const soundVersions = ({ states }: Pick<RegistryState, 'states'>): readonly string[] =>
  Object.keys(states)
    .filter((version) => !['refused', 'rolled_back'].includes(states[version] as string))
    .sort(byStep)
    .reverse()

/** `resumableVersions`; null if the checkpoints cannot be read. */
export async function knownResumable(root: string, versions: readonly string[]): Promise<ReadonlySet<string> | null> {
  try {
    return await resumableVersions(root, versions)
  } catch (error) {
    if (error instanceof BcodError) return null
    throw error
  }
}

async function looksWhole(root: string, name: string): Promise<boolean> {
  try {
    return await hasFiles(root, name, await readManifest(root, name))
  } catch (error) {
    if (error instanceof BcodError && error.code !== 'CHECKPOINT_IO') return false
    throw error
  }
}

async function entriesOf(root: string): Promise<readonly string[]> {
  try {
    return await readdir(root)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []
    throw codedFailure(error, 'cannot be read', root)
  }
}
