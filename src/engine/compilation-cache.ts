import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
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
export const cacheFlags = (folder: string, given = ''): string =>
  [
    `--tf_xla_persistent_cache_directory=${JSON.stringify(folder)}`,
    '--tf_xla_persistent_cache_device_types=GPU',
    ...(given === '' ? [] : [given]),
  ].join(' ')

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
    // TensorFlow fails a step whose program it cannot keep
    accessSync(folder, constants.W_OK)
    for (const other of readdirSync(root))
      if (other.startsWith(PREFIX) && other !== name) rmSync(join(root, other), { recursive: true, force: true })
  } catch {
    return null
  }
  process.env.TF_XLA_FLAGS = cacheFlags(folder, given)
  return folder
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
