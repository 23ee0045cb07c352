import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { parseCheckpointName, type Snapshot } from '../checkpoint/snapshot.js'
import { CheckpointStore } from '../checkpoint/store.js'
import { BcodError } from '../errors.js'

/**
 * A checkpoint, or the newest one in a directory of checkpoints.
 *
 * @throws CHECKPOINT_DAMAGED, CHECKPOINT_VERSION, CHECKPOINT_IO, CHECKPOINT_NOT_FOUND
 */
export async function readCheckpoint(path: string): Promise<Snapshot> {
  const missing = () => new BcodError('CHECKPOINT_NOT_FOUND', 'no checkpoint is there', { place: path })
  if (!existsSync(path)) throw missing()
  if (parseCheckpointName(basename(path)) !== null || existsSync(join(path, 'MANIFEST.json'))) {
    return (await new CheckpointStore(dirname(path)).load(basename(path))).snapshot
  }
  const latest = await new CheckpointStore(path).latest()
  if (latest === null) throw missing()
  return latest.snapshot
}
