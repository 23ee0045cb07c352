import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { temporaryDirectory } from '../support/checkpoints.js'

/**
 * A real file system of `bytes`, gone with the test: a tmpfs, mounted here or, where that is not permitted, in a user
 * namespace of its own that is reached through /proc, or a container's small /dev/shm, which may be larger than asked.
 * Null, with the reasons printed, where the host has none of them.
 */
export async function smallDisk(bytes: number): Promise<string | null> {
  const directory = join(temporaryDirectory(), 'disk')
  mkdirSync(directory)
  const options = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', directory]
  try {
    execFileSync('mount', options, { stdio: 'pipe' })
    onTestFinished(() => {
      execFileSync('umount', [directory])
    })
    return directory
  } catch (error) {
    console.info(`no mount here: ${error instanceof Error ? error.message.trim() : error}`)
  }
  const script = `mount ${options.join(' ')} && echo ready && exec cat`
  const holder = spawn('unshare', ['-rm', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'inherit'] })
  onTestFinished(() => {
    holder.kill('SIGKILL')
  })
  const inside = `/proc/${holder.pid}/root${directory}`
  if ((await firstOutput(holder)) && existsSync(inside)) return inside
  console.info('no mount in a user namespace either')
  return smallSharedMemory()
}

function smallSharedMemory(): string | null {
  const { blocks, bsize } = statfsSync('/dev/shm')
  if (blocks * bsize > 128 * 2 ** 20) {
    console.info('/dev/shm is too large to fill: the fault is injected')
    return null
  }
  const directory = mkdtempSync('/dev/shm/bcod-')
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const firstOutput = (child: ChildProcess): Promise<boolean> =>
  new Promise((resolve) => {
    child.stdout?.once('data', () => resolve(true))
    child.once('error', () => resolve(false))
    child.once('exit', () => resolve(false))
  })
