import { chmod, mkdir } from 'node:fs/promises'
import { takeDirectory } from '../../files/own-directory.js'

/**
 * Makes a directory the registry of versions; servers under other users may read it.
 *
 * @param besides  other directories of this daemon, which may lie within it
 * @throws DIRECTORY_FOREIGN
 */
export async function takeRegistry(directory: string, besides: readonly string[] = []): Promise<void> {
  const isNew = await mkdir(directory, { recursive: true })
  takeDirectory(directory, { mode: DIRECTORY_MODE, besides })
  if (isNew) await chmod(directory, DIRECTORY_MODE)
}

const DIRECTORY_MODE = 0o755
