import { closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, unlinkSync, writeSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { syncDirectoryNow } from '../files/durable-files.js'
import { codedFailure } from './failure.js'

/**
 * Becomes the writer of a checkpoint directory: creates `fence-00000003`, one above every fence that was taken or that a
 * checkpoint carries. Of two that try at once, exclusive creation lets each number be won once.
 *
 * @returns the number taken; it goes into every checkpoint
 * @throws CHECKPOINT_DISK_FULL, CHECKPOINT_IO
 */
export function takeFence(directory: string): number {
  try {
    return take(directory)
  } catch (error) {
    throw codedFailure(error, 'the fence was not taken', directory)
  }
}

/**
 * Holds while `mine` is the highest fence.
 * @throws FENCED when another writer has taken a higher one, or the file of this one is gone; CHECKPOINT_IO
 */
export function assertFence(directory: string, mine: number): void {
  const highest = highestFence(directory)
  if (highest === mine) return
  const reason = highest > mine ? `fence ${highest} was taken` : 'its fence file is gone'
  throw new BcodError('FENCED', `this writer holds fence ${mine}, ${reason}`, { place: directory })
}

/**
 * Whether the process that took the highest fence has certainly ended: it ran on this host and does no longer, or had
 * this process's id, as the only process of a container has after a restart. False if that cannot be told.
 */
export function holderHasEnded(directory: string): boolean {
  try {
    const text = readFileSync(path(directory, highestFence(directory)), 'utf8')
    const { host, pid } = JSON.parse(text) as { readonly host?: unknown; readonly pid?: unknown }
    return host === hostname() && typeof pid === 'number' && (pid === process.pid || !isRunning(pid))
  } catch {
    return false
  }
}

/** The highest fence taken; 0 before the first. */
export const highestFence = (directory: string): number => Math.max(0, ...fences(directory))

function take(directory: string): number {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (let fence = Math.max(highestFence(directory), highestCheckpointFence(directory)) + 1; ; fence++) {
    if (!create(directory, fence)) continue
    // Free again only because a higher one was taken and this one removed.
    if (highestFence(directory) > fence) continue
    for (const lower of fences(directory).filter((other) => other < fence)) remove(directory, lower)
    return fence
  }
}

const PATTERN = /^fence-(\d+)$/

const path = (directory: string, fence: number) => join(directory, `fence-${String(fence).padStart(8, '0')}`)

const fences = (directory: string): readonly number[] =>
  entries(directory).flatMap((name) => {
    const match = PATTERN.exec(name)
    return match ? [Number(match[1])] : []
  })

function entries(directory: string): readonly string[] {
  try {
    return readdirSync(directory)
  } catch (error) {
    throw codedFailure(error, 'cannot be read', directory)
  }
}

/** The fences that checkpoints carry: they count where the directory came back from a backup without fence files. */
function highestCheckpointFence(directory: string): number {
  let highest = 0
  for (const name of entries(directory)) {
    try {
      const { fence } = JSON.parse(readFileSync(join(directory, name, 'MANIFEST.json'), 'utf8')) as { fence?: unknown }
      if (Number.isSafeInteger(fence)) highest = Math.max(highest, fence as number)
    } catch {
      // Not a checkpoint, or one that the store will report.
    }
  }
  return highest
}

/** False if somebody else has it. The content is for a person who wonders who that was. */
function create(directory: string, fence: number): boolean {
  let file: number
  try {
    file = openSync(path(directory, fence), 'wx', 0o600)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
  writeSync(file, `${JSON.stringify({ host: hostname(), pid: process.pid, time: new Date().toISOString() })}\n`)
  fsyncSync(file)
  closeSync(file)
  syncDirectoryNow(directory)
  return true
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}

function remove(directory: string, fence: number): void {
  try {
    unlinkSync(path(directory, fence))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}
