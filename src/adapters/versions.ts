import { existsSync, readdirSync } from 'node:fs'
import { chmod, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { takeDirectory } from '../files/own-directory.js'
import { versionStep } from './version.js'

/**
 * Makes a directory the registry of versions; servers under other users may read it.
 *
 * @param besides  other directories of this daemon, which may lie within it
 * @throws DIRECTORY_FOREIGN
 */
export async function takeRegistry(directory: string, besides: readonly string[] = []): Promise<void> {
  const isNew = await mkdir(directory, { recursive: true })
  takeDirectory(directory, { mode: DIRECTORY_MODE, besides })
  if (isNew) await chmod(directory, DIRECTORY_MODE)
}

/** Where the adapter of `model.reference` is: a version of the registry, or a directory; `base` stays as it is. */
export const referenceDirectory = (reference: string, directory: string): string =>
  versionStep(reference) !== null ? join(directory, reference) : reference

/** The steps that versions came from: their checkpoints are kept. */
export const publishedSteps = (directory: string): ReadonlySet<number> =>
  new Set(existsSync(directory) ? readdirSync(directory).flatMap((name) => versionStep(name) ?? []) : [])

const DIRECTORY_MODE = 0o755
