import { createHash } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { BcodError } from '../errors.js'
import { systemCode, type WrittenFile } from '../files/durable-files.js'
import { hashFile } from './identity.js'
import { stableJson } from './json.js'
import { type CheckpointRef, checkpointName } from './snapshot.js'

/** `MANIFEST.json`, written last: with it a checkpoint directory is whole, and every byte of it is accounted for. */
export interface Manifest {
  readonly format: typeof FORMAT
  readonly step: number
  readonly revision: number
  readonly fence: number
  readonly parent: CheckpointRef | null
  readonly files: Readonly<Record<string, WrittenFile>>
  /** sha256 of this manifest without this field: the name of the checkpoint's contents. */
  readonly sha256: string
}

export const MANIFEST = 'MANIFEST.json'
const FORMAT = 1

export function sealManifest(body: Omit<Manifest, 'format' | 'sha256'>): Manifest {
  const unsealed = { ...body, format: FORMAT } as const
  return { ...unsealed, sha256: sha256(stableJson(unsealed)) }
}

/**
 * Reads a checkpoint's manifest and checks it against itself and the directory's name; the files are not read.
 * @throws CHECKPOINT_DAMAGED, CHECKPOINT_VERSION, CHECKPOINT_IO
 */
export async function readManifest(root: string, name: string): Promise<Manifest> {
  const place = join(root, name, MANIFEST)
  let text: string
  try {
    text = await readFile(place, 'utf8')
  } catch (cause) {
    throw unreadable(place, cause)
  }
  const manifest = parse(text)
  if (manifest === null) throw damaged(place, 'is not the text that was written')
  const { sha256: seal, ...unsealed } = manifest
  if (seal !== sha256(stableJson(unsealed))) throw damaged(place, 'does not match its own sha256')
  if (manifest.format !== FORMAT) {
    throw new BcodError('CHECKPOINT_VERSION', `format ${manifest.format}, this version reads ${FORMAT}`, { place })
  }
  const written = checkpointName(manifest.step, manifest.revision)
  if (written !== name) throw damaged(place, `was written as ${written}`)
  return manifest
}

/**
 * Reads every file of a checkpoint and compares it with the manifest. Nothing outside the checkpoint is opened, whatever
 * the manifest lists.
 *
 * @throws CHECKPOINT_DAMAGED, naming the file and what was expected; CHECKPOINT_IO
 */
export async function verifyFiles(root: string, name: string, manifest: Manifest): Promise<void> {
  for (const [file, expected] of Object.entries(manifest.files)) {
    const place = join(root, name, file)
    if (basename(file) !== file) throw damaged(join(root, name, MANIFEST), 'lists a file outside the checkpoint')
    try {
      const { size } = await stat(place)
      if (size !== expected.bytes) throw damaged(place, `expected ${expected.bytes} bytes, got ${size}`)
      const actual = await hashFile(place)
      if (actual !== expected.sha256) throw damaged(place, `expected sha256 ${expected.sha256}, got ${actual}`)
    } catch (error) {
      throw error instanceof BcodError ? error : unreadable(place, error)
    }
  }
}

/** Whether every file of a checkpoint is there in its size. What is in it is not read. @throws CHECKPOINT_IO */
export async function hasFiles(root: string, name: string, { files }: Manifest): Promise<boolean> {
  for (const [file, { bytes }] of Object.entries(files)) {
    const place = join(root, name, file)
    try {
      if (basename(file) !== file || (await stat(place)).size !== bytes) return false
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return false
      throw unreadable(place, error)
    }
  }
  return true
}

/** The value of the text, provided that it is exactly the text that this value is written as. */
function parse(text: string): Manifest | null {
  try {
    const value = JSON.parse(text) as Manifest
    return typeof value === 'object' && value !== null && stableJson(value) === text ? value : null
  } catch {
    return null
  }
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

const damaged = (place: string, message: string) => new BcodError('CHECKPOINT_DAMAGED', message, { place })

/** A missing file is damage; one that this process may not or cannot read says nothing about its contents. */
const unreadable = (place: string, cause: unknown) =>
  systemCode(cause) === 'ENOENT'
    ? damaged(place, 'is missing')
    : new BcodError('CHECKPOINT_IO', `cannot be read (${systemCode(cause) ?? 'unknown'})`, { place, cause })
