import { versionStep } from '../versions/version.js'
import type { RegistryFiles } from './registry-files.js'

/** Where the adapter of `model.reference` is: a version of the registry, or a directory; `base` stays as it is. */
export const referenceDirectory = async (reference: string, files: Pick<RegistryFiles, 'local'>): Promise<string> =>
  versionStep(reference) !== null ? files.local(reference) : reference

/** The steps that versions came from: their checkpoints are kept. */
export const publishedSteps = async (files: Pick<RegistryFiles, 'names'>): Promise<ReadonlySet<number>> =>
  new Set((await files.names('.')).flatMap((name) => versionStep(name) ?? []))
