import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { syncDirectoryNow } from '../files/durable-files.js'

/** Writes a small JSON file beside the checkpoints, whole or not at all, and returns once it survives a power failure. */
export function writeBeside(directory: string, name: string, content: object): void {
  const path = join(directory, name)
  writeFileSync(`${path}.new`, `${JSON.stringify(content)}\n`, { flush: true, mode: 0o600 })
  renameSync(`${path}.new`, path)
  syncDirectoryNow(directory)
}

/** Removes such files; they stay away after a power failure. */
export function removeBeside(directory: string, names: readonly string[]): void {
  for (const name of names) rmSync(join(directory, name), { force: true })
  syncDirectoryNow(directory)
}
