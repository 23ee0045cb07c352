import { constants } from 'node:fs'
import { access, readFile, statfs } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { cacheDirectory } from '../../files/cache.js'
import { type Finding, fail, pass, warn } from './finding.js'

/** Where `crc32` of node:zlib begins, which checks batches from Kafka. */
const OLDEST_MINOR: Readonly<Record<number, number>> = { 20: 15, 22: 2 }

export function checkNode(version: string): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const oldest = OLDEST_MINOR[major]
  if (oldest !== undefined && minor < oldest)
    return fail('node', `v${version} is older than v${major}.${oldest}`, 'Install Node 24: https://nodejs.org')
  if (major === 22 || major === 24) return pass('node', `v${version}`)
  const remedy = 'Install Node 24: https://nodejs.org'
  return major === 20
    ? warn('node', `v${version} is past its end of life: it works, and gets no security fixes`, remedy)
    : fail('node', `v${version}`, 'Install Node 22 or 24: https://nodejs.org')
}

export async function checkCache(directory = cacheDirectory()): Promise<Finding> {
  if (!(await allowed(directory, constants.F_OK))) {
    return warn('cache', `${directory} does not exist`, 'Run make setup, or point BCOD_CACHE at an existing cache.')
  }
  return (await allowed(directory, constants.W_OK))
    ? pass('cache', directory)
    : warn(
        'cache',
        `${directory} is not writable`,
        'Set-up cannot add to it; set BCOD_CACHE to a directory of your own.',
      )
}

const MIB = 2 ** 20

/** Free space where checkpoints go, or would go: the nearest directory above that exists. */
export async function checkDisk(checkpointDirectory: string | null): Promise<Finding> {
  const directory = await nearestExisting(resolve(checkpointDirectory ?? '.'))
  const { bavail, bsize } = await statfs(directory)
  const free = bavail * bsize
  const detail = `${(free / 2 ** 30).toFixed(1)} GiB free at ${directory}`
  if (!(await allowed(directory, constants.W_OK))) {
    return fail('disk', `${directory} is not writable`, 'Point checkpoint.dir at a directory that bcod may write.')
  }
  if (free < 100 * MIB) return fail('disk', detail, 'Free space or enlarge the volume; no checkpoint would fit.')
  if (free < 1024 * MIB) return warn('disk', detail, 'Enlarge the volume, or lower checkpoint.keep.')
  return pass('disk', detail)
}

export async function checkOpenFiles(limits = '/proc/self/limits'): Promise<Finding> {
  const text = await readFile(limits, 'utf8').catch(() => '')
  const soft = /^Max open files\s+(\S+)/m.exec(text)?.[1]
  if (soft === undefined)
    return warn('open files', 'the limit is not known here', 'Make sure that ulimit -n is at least 1024.')
  return soft === 'unlimited' || Number(soft) >= 1024
    ? pass('open files', `limit ${soft}`)
    : warn('open files', `limit ${soft}`, 'Raise it to at least 1024 (ulimit -n, or LimitNOFILE of the unit).')
}

async function nearestExisting(directory: string): Promise<string> {
  if (await allowed(directory, constants.F_OK)) return directory
  return nearestExisting(dirname(directory))
}

const allowed = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  )
