import { createHash } from 'node:crypto'
import {
  accessSync,
  constants,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { gpuAddon } from './gpu-addon.js'
import { addonDirectory } from './own-addons.js'

/** What decides about machine code beside the program that it is made of. TensorFlow asks for the program alone. */
export interface CompiledFor {
  /** Names and compute capabilities. */
  readonly gpus: readonly string[]
  /** Of libtensorflow: another file is another compiler. */
  readonly library: string
  readonly xlaFlags: string
  readonly tf32: boolean
}

const PREFIX = 'xla-'

/** Name of the folder for what is compiled under these circumstances: which GPU it is for, and a hash of the rest. */
export function compilationFolder(of: CompiledFor): string {
  const hash = createHash('sha256').update(JSON.stringify(of)).digest('hex').slice(0, 12)
  const gpu = (of.gpus[0] ?? 'none').replace(/[^A-Za-z0-9.]+/g, '-')
  return `${PREFIX}${gpu}-${hash}`
}

/** TensorFlow's flags for such a folder, before those that are given. */
export const cacheFlags = (folder: string, { given = '', readOnly = false } = {}): string =>
  [
    `--tf_xla_persistent_cache_directory=${JSON.stringify(folder)}`,
    '--tf_xla_persistent_cache_device_types=GPU',
    ...(readOnly ? ['--tf_xla_persistent_cache_read_only=true'] : []),
    ...(given === '' ? [] : [given]),
  ].join(' ')

/** The programs of a folder that were written whole: name and sha256. */
const INDEX = 'index.json'
type Index = Readonly<Record<string, string>>

function readIndex(folder: string): Index {
  try {
    return JSON.parse(readFileSync(join(folder, INDEX), 'utf8')) as Index
  } catch {
    return {}
  }
}

const programsIn = (folder: string): readonly string[] => readdirSync(folder).filter((name) => name.endsWith('.pb'))
const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

/**
 * Removes what was not written whole. TensorFlow writes a program in its place, byte by byte, and a step whose program is
 * cut short fails at every start.
 */
export function removeUnfinished(folder: string): void {
  const index = readIndex(folder)
  const whole = programsIn(folder).filter((name) => index[name] === hashOf(join(folder, name)))
  writeIndex(folder, Object.fromEntries(whole.map((name) => [name, index[name] as string])))
  for (const name of programsIn(folder)) if (!whole.includes(name)) rmSync(join(folder, name), { force: true })
}

/** Enters the programs that are new in the folder. Call it when nothing is being compiled: they are whole then. */
export function enterCompiled(folder: string): void {
  const index = readIndex(folder)
  const fresh = programsIn(folder).filter((name) => index[name] === undefined)
  if (fresh.length === 0) return
  try {
    writeIndex(folder, { ...index, ...Object.fromEntries(fresh.map((name) => [name, hashOf(join(folder, name))])) })
  } catch {
    // a full volume: what is not entered is compiled again at the next start
  }
}

function writeIndex(folder: string, index: Index): void {
  const beside = join(folder, `${INDEX}.new`)
  writeFileSync(beside, JSON.stringify(index))
  renameSync(beside, join(folder, INDEX))
}

/** Below this much room on its volume, the folder is read and not written. */
const LEAST_ROOM = 2 ** 30

/**
 * Lets XLA keep what it compiles for a GPU, so that the next start compiles less. Nothing is kept for a CPU, on which
 * what was compiled may not run elsewhere (docs/adr/002). TensorFlow reads the setting once: call it after
 * `prepareEnvironment`, in the main thread, before the addon is loaded.
 *
 * @param root  gets a folder for this GPU and this TensorFlow; others that it has are removed. null: nothing is kept
 * @returns the folder; null if nothing is kept, or not by us
 */
export function keepCompiled(root: string | null, { tf32 }: { readonly tf32: boolean }): string | null {
  const given = process.env.TF_XLA_FLAGS ?? ''
  if (root === null || given.includes('tf_xla_persistent_cache_directory')) return null
  const gpus = gpusOf()
  if (gpus.length === 0) return null
  const name = compilationFolder({ gpus, library: libraryOf(), xlaFlags: process.env.XLA_FLAGS ?? '', tf32 })
  const folder = join(root, name)
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 })
    accessSync(folder, constants.W_OK)
    removeUnfinished(folder)
    for (const other of readdirSync(root))
      if (other.startsWith(PREFIX) && other !== name) rmSync(join(root, other), { recursive: true, force: true })
  } catch {
    return null
  }
  // TensorFlow fails a step whose program it cannot keep
  const { bavail, bsize } = statfsSync(folder)
  process.env.TF_XLA_FLAGS = cacheFlags(folder, { given, readOnly: bavail * bsize < LEAST_ROOM })
  return folder
}

/** The folder of `keepCompiled`, in this thread or another; null if nothing is kept, or not by us. */
export function compiledFolder(): string | null {
  // what an operator sets has no quotes
  const quoted = /--tf_xla_persistent_cache_directory=("(?:[^"\\]|\\.)*")/.exec(process.env.TF_XLA_FLAGS ?? '')?.[1]
  return quoted === undefined ? null : (JSON.parse(quoted) as string)
}

/** None if the addon is missing, which `doctor` reports. */
function gpusOf(): readonly string[] {
  try {
    return gpuAddon().gpus()
  } catch {
    return []
  }
}

function libraryOf(): string {
  const { size, mtimeMs } = statSync(join(addonDirectory(), 'lib', 'libtensorflow_cc.so.2'))
  return `${size} ${mtimeMs}`
}
