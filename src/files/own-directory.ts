import { type Dirent, existsSync, lstatSync, mkdirSync, readdirSync } from 'node:fs'
import { readdir, rm } from 'node:fs/promises'
import { join, relative, resolve, sep } from 'node:path'
import { BcodError } from '../errors.js'

/**
 * The directory inside a directory of checkpoints or adapters in which things are made before they get their names, and
 * into which they are moved before they are removed. bcod alone makes it, so it is also the mark of a directory that was
 * taken, and nothing outside it is ever removed but what has a manifest of ours.
 */
export const WORK = '.bcod-work'

export interface TakeOptions {
  /** Permission bits of the directory, if it has to be made. */
  readonly mode: number
  /** Other directories of this daemon, which may lie within this one. @default none */
  readonly besides?: readonly string[]
}

/**
 * Makes a directory bcod's own and gives the path of its work directory. One that was taken before stays taken,
 * whatever else lies in it; one that is taken first must be empty, or hold only what versions before this mark made.
 *
 * @throws DIRECTORY_FOREIGN
 */
export function takeDirectory(directory: string, { mode, besides = [] }: TakeOptions): string {
  const work = join(directory, WORK)
  if (isTaken(directory)) return work
  assertOwn(directory, besides)
  mkdirSync(directory, { recursive: true, mode })
  mkdirSync(work, { recursive: true, mode: 0o700 })
  return work
}

/**
 * Holds for a directory that was taken, is empty or not there, or can be taken; nothing is written.
 * @throws DIRECTORY_FOREIGN
 */
export function assertOwn(directory: string, besides: readonly string[] = []): void {
  if (isTaken(directory) || !existsSync(directory)) return
  const inside = besides.map((path) => relative(resolve(directory), resolve(path)).split(sep)[0])
  const entries = readdirSync(directory, { withFileTypes: true })
  const foreign = entries.filter(
    (entry) => !isHarmless(entry) && !inside.includes(entry.name) && !isOurs(directory, entry),
  )
  const strangest = foreign[0] ?? entries.find(({ name }) => name === 'journal.jsonl' && !entries.some(isProof))
  if (strangest !== undefined) {
    const others = foreign.length > 1 ? ` and ${foreign.length - 1} more` : ''
    const message = `${JSON.stringify(strangest.name)}${others} in it is not bcod's`
    throw new BcodError('DIRECTORY_FOREIGN', message, { place: directory })
  }
}

/**
 * Removes what a crash left half made or half removed. Only the writer may: another's work may be under way.
 *
 * @param mayGo  whether nobody can still be at work on a path. @default for all
 */
export async function clearWork(directory: string, mayGo: (path: string) => boolean = () => true): Promise<void> {
  if (!isTaken(directory)) return
  const work = join(directory, WORK)
  for (const name of await readdir(work))
    if (mayGo(join(work, name))) await rm(join(work, name), { recursive: true, force: true })
}

/** Whether nothing but what a file system itself puts there is in a directory. */
export const isEmptyDirectory = (directory: string): boolean =>
  readdirSync(directory, { withFileTypes: true }).every(isHarmless)

/** A link of that name would lead elsewhere: it is no mark. */
function isTaken(directory: string): boolean {
  return lstatSync(join(directory, WORK), { throwIfNoEntry: false })?.isDirectory() === true
}

/** What volumes come with: ext4's lost+found, snapshots and renamed open files of network storage, git's place holders. */
const isHarmless = ({ name }: { readonly name: string }): boolean =>
  ['lost+found', '.snapshot', '.gitkeep', '.gitignore'].includes(name) || /^\.nfs[0-9a-f]+$/.test(name)

/** Only a writer of checkpoints leaves these: its journal is not just any file of that name. */
const isProof = ({ name }: Dirent): boolean => /^(fence-\d{8,}|step-\d{8,})/.test(name)

const CHECKPOINT_FILES = [
  'MANIFEST.json',
  'state.json',
  'pending.bin',
  'trainer_state.safetensors',
  'adapter_config.json',
]
const CHECKPOINT = /^(superseded-)?step-\d{8,}(\.r\d{4,})?(-\d+)?$/
const VERSION = /^v\d{8,15}$/
const FILE = /^(fence-\d{8,}|journal\.jsonl|journal\.tail-\d+\.jsonl|tmp-journal-tail|routing\.json)$/
/** What versions before the work directory left when they were killed. It is not removed either. */
const LEFT_OVER = /^tmp-(removed-)?(superseded-)?(step-\d{8,}|v\d{8,})/
const LINK = /^(live|previous|canary|tmp-live-\d+)$/
const MOVES = 'moves'
const MOVE = /^\d{8,15}\.json$/

/** What a version before the mark made, or one after it whose mark has not come back from a backup. */
function isOurs(directory: string, entry: Dirent): boolean {
  const { name } = entry
  if (entry.isFile()) return FILE.test(name)
  if (entry.isSymbolicLink()) return LINK.test(name)
  if (!entry.isDirectory()) return false
  if (LEFT_OVER.test(name)) return true
  if (name === MOVES) return readdirSync(join(directory, name)).every((file) => MOVE.test(file))
  const holds = VERSION.test(name) ? ['bcod.json'] : CHECKPOINT.test(name) ? CHECKPOINT_FILES : []
  return readdirSync(join(directory, name)).some((file) => holds.includes(file))
}
