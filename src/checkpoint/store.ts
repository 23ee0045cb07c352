import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { syncDirectory, systemCode, type WrittenFile, writeFileDurably } from '../files/durable-files.js'
import { takeDirectory } from '../files/own-directory.js'
import { codedFailure } from './failure.js'
import { assertFence } from './fence.js'
import { stableJson } from './json.js'
import { MANIFEST, type Manifest, readManifest, sealManifest, verifyFiles } from './manifest.js'
import { expired, isSuperseded, removeCheckpoints, removeTemporary, supersede } from './retention.js'
import { type CheckpointRef, checkpointName, parseCheckpointName, type Snapshot } from './snapshot.js'
import { readSnapshot, snapshotFiles } from './snapshot-files.js'

export interface CheckpointStoreOptions {
  /** How many of the newest checkpoints are kept. @default 3 */
  readonly keep?: number
  /** Steps whose adapters were published; asked for at each write. @default none */
  readonly publishedSteps?: () => ReadonlySet<number> | Promise<ReadonlySet<number>>
  /** Told of a checkpoint that cannot be used, also where that stops nothing. */
  readonly onDamaged?: (name: string, error: BcodError) => void
  /** Told when old checkpoints could not be removed: the new one is safe all the same. */
  readonly onCleanupFailed?: (error: unknown) => void
  /** Called after each stage of a write has taken effect; a fault test throws or kills the process there. */
  readonly onStage?: (stage: string) => void
}

/** A checkpoint that was verified byte by byte. */
export interface Checkpoint {
  readonly ref: CheckpointRef
  readonly directory: string
  readonly snapshot: Snapshot
}

/** A checkpoint directory with its manifest, or with what is wrong with that. */
export interface ListedCheckpoint {
  readonly name: string
  readonly manifest: Manifest | BcodError
}

/**
 * The chain of checkpoints in one directory: each is whole or not there, each byte of it is accounted for, and the
 * newest by (fence, step, revision) is the truth.
 */
export class CheckpointStore {
  constructor(
    readonly directory: string,
    private readonly options: CheckpointStoreOptions = {},
  ) {}

  /**
   * Writes a checkpoint. When this returns it survives a power failure. When it throws, the newest is the one before or,
   * where only the last sync failed, this one; the same snapshot may be written again. Whatever an overtaken writer left
   * at this place or beyond is set aside. The snapshot's arrays must not change meanwhile: they are not copied.
   *
   * @throws FENCED, CHECKPOINT_DISK_FULL, CHECKPOINT_IO
   */
  async write(snapshot: Snapshot): Promise<CheckpointRef> {
    const name = checkpointName(snapshot.step, snapshot.revision)
    let temporary: string | null = null
    let ref: CheckpointRef
    try {
      assertFence(this.directory, snapshot.fence)
      temporary = join(takeDirectory(this.directory, { mode: 0o700 }), `${name}-${snapshot.fence}`)
      await removeTemporary(this.directory)
      ref = { name, sha256: await this.writeFiles(temporary, snapshot) }
      assertFence(this.directory, snapshot.fence)
      await this.supersedeFrom(name)
      await rename(temporary, join(this.directory, name))
      this.stage('renamed')
      await syncDirectory(this.directory)
      this.stage('durable')
    } catch (error) {
      if (temporary !== null) await rm(temporary, { recursive: true, force: true }).catch(() => {})
      // A writer that was overtaken finds its files gone: that is the reason, not what the system says.
      assertFence(this.directory, snapshot.fence)
      throw codedFailure(error, `${name} was not written`, this.directory)
    }
    await this.retain()
    return ref
  }

  /**
   * The newest checkpoint of the highest fence, verified; null if there is none.
   *
   * @param acceptOlder  go on from the one before where the newest is damaged. Never by default: offsets may have been
   *   committed after it, so somebody must decide to train those events again.
   * @throws CHECKPOINT_DAMAGED, CHECKPOINT_VERSION, CHECKPOINT_IO
   */
  async latest({ acceptOlder = false } = {}): Promise<Checkpoint | null> {
    const listed = await this.list()
    const broken = listed.flatMap(({ name, manifest }) =>
      manifest instanceof BcodError ? [{ name, error: manifest }] : [],
    )
    for (const { name, error } of broken) this.options.onDamaged?.(name, error)
    let damage = broken.at(-1)?.error
    for (const { name, manifest } of listed.toReversed()) {
      if (manifest instanceof BcodError) {
        if (!acceptOlder) throw manifest
        continue
      }
      try {
        return await this.load(name)
      } catch (error) {
        if (!(error instanceof BcodError) || error.code !== 'CHECKPOINT_DAMAGED') throw error
        this.options.onDamaged?.(name, error)
        if (!acceptOlder) throw error
        damage ??= error
      }
    }
    if (damage) throw damage
    return null
  }

  /** What `wholeOfStep` finds, read. @throws ADAPTER_NOT_RESUMABLE, CHECKPOINT_IO */
  async ofStep(step: number): Promise<Checkpoint> {
    return this.read(await this.wholeOfStep(step))
  }

  /**
   * The first checkpoint of a step that is whole, verified: the later ones have the same learning state.
   *
   * @throws ADAPTER_NOT_RESUMABLE, CHECKPOINT_IO
   */
  async wholeOfStep(step: number): Promise<CheckpointRef> {
    const names = (await this.names()).filter((name) => parseCheckpointName(name)?.step === step)
    let damage: BcodError | undefined
    for (const name of names) {
      try {
        return await this.verified(name)
      } catch (error) {
        if (!(error instanceof BcodError) || error.code === 'CHECKPOINT_IO') throw error
        damage ??= error
      }
    }
    const problem =
      damage === undefined ? `there is no checkpoint of step ${step}` : `${names.join(', ')}: ${damage.line}`
    throw new BcodError('ADAPTER_NOT_RESUMABLE', problem, { place: this.directory, cause: damage })
  }

  /** One checkpoint by name, every file verified. @throws CHECKPOINT_DAMAGED, CHECKPOINT_VERSION, CHECKPOINT_IO */
  async load(name: string): Promise<Checkpoint> {
    return this.read(await this.verified(name))
  }

  /**
   * All checkpoints, the newest last: by fence, step and revision. One without a readable manifest has lost its fence
   * and stands by step and revision alone: `write` leaves none of a lower fence beyond its own place.
   *
   * @throws CHECKPOINT_VERSION, CHECKPOINT_IO
   */
  async list(): Promise<readonly ListedCheckpoint[]> {
    const listed: ListedCheckpoint[] = []
    for (const name of await this.names()) {
      try {
        listed.push({ name, manifest: await readManifest(this.directory, name) })
      } catch (error) {
        if (!(error instanceof BcodError) || error.code !== 'CHECKPOINT_DAMAGED') throw error
        listed.push({ name, manifest: error })
      }
    }
    return inOrderOfFence(listed)
  }

  private async verified(name: string): Promise<CheckpointRef> {
    const manifest = await readManifest(this.directory, name)
    await verifyFiles(this.directory, name, manifest)
    return { name, sha256: manifest.sha256 }
  }

  private async read(ref: CheckpointRef): Promise<Checkpoint> {
    const directory = join(this.directory, ref.name)
    return { ref, directory, snapshot: await readSnapshot(directory) }
  }

  /** Names of all checkpoints in the order of step and revision. */
  private async names(): Promise<readonly string[]> {
    let entries: readonly string[]
    try {
      entries = await readdir(this.directory)
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return []
      throw codedFailure(error, 'cannot be read', this.directory)
    }
    return entries.filter((name) => parseCheckpointName(name) !== null).sort(byStepAndRevision)
  }

  /** Writes all files, the manifest last; returns the manifest's hash. */
  private async writeFiles(temporary: string, snapshot: Snapshot): Promise<string> {
    await mkdir(temporary, { mode: 0o700 })
    this.stage('created')
    const files: Record<string, WrittenFile> = {}
    for (const [file, chunks] of snapshotFiles(snapshot)) {
      files[file] = await writeFileDurably(join(temporary, file), chunks, 0o600)
      this.stage(file)
    }
    const { step, revision, fence, parent } = snapshot
    const manifest = sealManifest({ step, revision, fence, parent, files })
    await writeFileDurably(join(temporary, MANIFEST), [new TextEncoder().encode(stableJson(manifest))], 0o600)
    this.stage(MANIFEST)
    await syncDirectory(temporary)
    this.stage('synced')
    return manifest.sha256
  }

  /** From the oldest on: until the last one has moved, the newest is what it was. */
  private async supersedeFrom(name: string): Promise<void> {
    for (const other of await this.names()) {
      if (byStepAndRevision(other, name) < 0) continue
      await supersede(this.directory, other)
      this.stage('superseded')
    }
  }

  private async retain(): Promise<void> {
    const { keep = 3, publishedSteps = () => new Set<number>() } = this.options
    try {
      const superseded = (await readdir(this.directory)).filter(isSuperseded)
      const rule = { keep, publishedSteps: await publishedSteps() }
      await removeCheckpoints(this.directory, expired(await this.names(), superseded, rule))
      this.stage('retained')
    } catch (error) {
      this.options.onCleanupFailed?.(error)
    }
  }

  private stage(name: string): void {
    this.options.onStage?.(name)
  }
}

function byStepAndRevision(a: string, b: string): number {
  const [x, y] = [parseCheckpointName(a), parseCheckpointName(b)]
  return x && y ? x.step - y.step || x.revision - y.revision : 0
}

/** Stable, so that step and revision go on deciding within a fence; a lost fence counts as that of the one before. */
function inOrderOfFence(listed: readonly ListedCheckpoint[]): readonly ListedCheckpoint[] {
  let before = 0
  const fenced = listed.map((checkpoint) => {
    const { manifest } = checkpoint
    if (!(manifest instanceof BcodError)) before = manifest.fence
    return { checkpoint, fence: before }
  })
  return fenced.sort((a, b) => a.fence - b.fence).map(({ checkpoint }) => checkpoint)
}
