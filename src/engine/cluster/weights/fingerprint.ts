import { statSync } from 'node:fs'
import type { KnownFile, WeightFile } from './kept-variable.js'
import { WeightServer } from './weight-server.js'

/** By path, size and time of the last change. */
const known = new Map<string, string>()
/** A run of this process has no limit. */
const NO_TIMEOUT = 0

/**
 * Fingerprints (64 bits of FarmHash) of all bytes of files here, in hex; each file is read once by this process. They
 * tell copies apart that differ by accident; they do not withstand an attacker.
 */
export function withFingerprints(files: readonly WeightFile[]): readonly KnownFile[] {
  const keys = files.map(({ path }) => {
    const { size, mtimeMs } = statSync(path)
    return `${path}\n${size}\n${mtimeMs}`
  })
  const missing = files.flatMap((file, index) => (known.has(keys[index] as string) ? [] : [{ file, index }]))
  if (missing.length > 0) {
    const here = new WeightServer(
      '',
      missing.map(({ file }) => file),
      [],
      NO_TIMEOUT,
    )
    const values = here.startFingerprints()()
    missing.forEach(({ index }, i) => {
      known.set(keys[index] as string, values[i] as string)
    })
    here.close()
  }
  return files.map((file, i) => ({ ...file, fingerprint: known.get(keys[i] as string) as string }))
}
