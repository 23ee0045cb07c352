// The cache: what is fetched or built once and must outlive `npm ci`. BCOD_CACHE moves it; src/files/cache.ts finds it.
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

export const cacheRoot = () =>
  process.env.BCOD_CACHE || join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'bcod')

/** Runs `fill(dir)` on a temporary folder beside `target`, then renames: a broken download leaves nothing behind. */
export function once(target, fill) {
  if (existsSync(target)) return
  mkdirSync(dirname(target), { recursive: true })
  const temporary = mkdtempSync(join(dirname(target), '.get-'))
  try {
    fill(temporary)
    try {
      renameSync(temporary, target)
    } catch (error) {
      if (!existsSync(target)) throw error
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
}
