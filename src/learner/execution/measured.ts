import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import type { JsonValue } from '../../checkpoint/json.js'
import { cacheDirectory } from '../../files/cache.js'
import type { Trial } from './decision.js'

/** Whatever trials depend on. */
export type TrialKey = Readonly<Record<string, JsonValue>>

/** What was measured on this machine for the same kind of model; null if nothing was. */
export function readMeasured(key: TrialKey, directory = cacheDirectory()): readonly Trial[] | null {
  try {
    const file = JSON.parse(readFileSync(pathOf(key, directory), 'utf8')) as { key?: unknown; trials?: unknown }
    return isDeepStrictEqual(file.key, key) && Array.isArray(file.trials) ? (file.trials as Trial[]) : null
  } catch {
    // no file, or one that was cut short: it is measured again
    return null
  }
}

/** Keeps what was measured. Where the cache cannot be written, the next start without a checkpoint measures again. */
export function keepMeasured(key: TrialKey, trials: readonly Trial[], directory = cacheDirectory()): void {
  const path = pathOf(key, directory)
  try {
    mkdirSync(join(directory, FOLDER), { recursive: true })
    const own = `${path}.${process.pid}`
    writeFileSync(own, `${JSON.stringify({ key, time: new Date().toISOString(), trials }, null, 2)}\n`)
    renameSync(own, path)
  } catch {}
}

const FOLDER = 'measured'

const pathOf = (key: TrialKey, directory: string): string =>
  join(directory, FOLDER, `${createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 16)}.json`)
