import { existsSync } from 'node:fs'
import { readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { clearWork, takeDirectory } from '../files/own-directory.js'
import { MANIFEST } from './manifest.js'
import { parseCheckpointName } from './snapshot.js'

export interface RetentionRule {
  /** How many of the newest are kept. */
  readonly keep: number
  /** The first checkpoint of each of these steps is kept: published adapters came from them. */
  readonly publishedSteps: ReadonlySet<number>
}

/**
 * Which checkpoints may go: all but the newest `keep`, step 0, and the first one of every published step. Of
 * superseded ones, those that are older than the oldest of the newest.
 *
 * @param names       checkpoints, oldest first
 * @param superseded  directories set aside by `supersede`
 */
export function expired(names: readonly string[], superseded: readonly string[], rule: RetentionRule): string[] {
  const newest = names.slice(-rule.keep)
  const protectedStep = (step: number) => step === 0 || rule.publishedSteps.has(step)
  const firsts = new Map<number, string>()
  for (const name of names) {
    const step = stepOf(name)
    if (!firsts.has(step)) firsts.set(step, name)
  }
  const keeps = (name: string) =>
    newest.includes(name) || (protectedStep(stepOf(name)) && firsts.get(stepOf(name)) === name)
  const oldestStep = stepOf(newest[0] ?? '')
  return [
    ...names.filter((name) => !keeps(name)),
    ...superseded.filter((name) => stepOf(name) < oldestStep && !protectedStep(stepOf(name))),
  ]
}

/** Takes a checkpoint out of the line without losing it: it belongs to a writer that was overtaken. */
export async function supersede(root: string, name: string): Promise<void> {
  const taken = new Set(await readdir(root))
  let number = 1
  while (taken.has(supersededName(name, number))) number++
  await rename(join(root, name), join(root, supersededName(name, number)))
}

export const isSuperseded = (name: string): boolean => SUPERSEDED.test(name)

/**
 * Removes checkpoints; a crash leaves each of them whole, or in the work directory. One without a manifest stays: it is
 * damaged, or somebody else's.
 */
export async function removeCheckpoints(root: string, names: readonly string[]): Promise<void> {
  const work = takeDirectory(root, { mode: 0o700 })
  for (const name of names.filter((each) => existsSync(join(root, each, MANIFEST)))) {
    const temporary = join(work, `removed-${name}`)
    await rename(join(root, name), temporary)
    await rm(temporary, { recursive: true, force: true })
  }
}

/** Removes what a crash left half written or half removed. Only the writer may: another's work may be under way. */
export const removeTemporary = (root: string): Promise<void> => clearWork(root)

const SUPERSEDED = /^superseded-(?<name>step-.+)-(\d+)$/

const supersededName = (name: string, number: number) => `superseded-${name}-${number}`

const stepOf = (name: string): number =>
  parseCheckpointName(SUPERSEDED.exec(name)?.groups?.name ?? name)?.step ?? Number.POSITIVE_INFINITY
