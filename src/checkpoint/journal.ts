import { createHash, type Hash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { BcodError } from '../errors.js'
import { syncDirectory, writeAll } from '../files/durable-files.js'
import { codedFailure } from './failure.js'
import { assertFence } from './fence.js'
import { setTailAside } from './journal-tail.js'
import type { JsonValue } from './json.js'
import type { JournalMark } from './snapshot.js'

/** Where learning went on from an older version. The steps between the two are abandoned: nothing of them is in it. */
export interface Resumption {
  /** The step of the version that learning went on from. */
  readonly from: number
  readonly version: string
  /** The move of the registry that asked for it. */
  readonly generation: number
}

/** One applied step: enough to apply it again. */
export interface JournalLine {
  readonly step: number
  /** Nothing was trained: learning went on from an older version, under this number. */
  readonly resumed?: Resumption
  /** In the order in which they trained. */
  readonly events: readonly JournalEvent[]
  /** The split of the step: each micro-batch as indexes into `events`. */
  readonly microBatches: readonly (readonly number[])[]
  /** Positions of the largest block that memory allowed; absent as long as no block was refused. */
  readonly blockLimit?: number
  /** δ that the losses used; of a resumption, that of the next step. */
  readonly delta: number
  /** `base`, or the adapter version that was the reference. */
  readonly reference: string
  /** Null, as loss and class rate, if nothing was trained. */
  readonly lr: number | null
  readonly loss: number | null
  /** π̂ of thumbs-up before the step, 0..1. */
  readonly classRate: number | null
  /** Events that were taken for this step and put aside: a non-finite log-prob or gradient, no memory for their length. */
  readonly quarantined: readonly { readonly topic: string; readonly partition: number; readonly offset: number }[]
  /**
   * What the process trained with, on its first step: a chain of checkpoints outlives changes of the settings, and a
   * replay has to follow them.
   */
  readonly settings?: JournalSettings
  /** The adapter after the step. */
  readonly adapter_sha256: string
  /** RFC 3339. */
  readonly time: string
}

export interface JournalSettings {
  /** The settings that decide what is learnt. */
  readonly config: JsonValue
  /** Directory of the base model, as it was given. */
  readonly modelPath: string | null
  /** Whatever else changes bits: executor, dtype, threads. */
  readonly resolved: JsonValue
}

export interface JournalEvent {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly source: string
  readonly id: string
  readonly label: boolean
  /** The event's own weight a. */
  readonly weight: number
  /** Density ratio w(x). */
  readonly w: number
  /** Only with `journal.keepEvents`. */
  readonly prompt_tokens?: readonly number[]
  readonly completion_tokens?: readonly number[]
  /** Only with `ratio.embedder = endpoint`: f32, little-endian, in base64; null if it could not be had. */
  readonly embedding?: string | null
}

/** The file of the journal in a checkpoint directory. */
export const journalPath = (directory: string): string => join(directory, 'journal.jsonl')

/**
 * The lineage journal: one JSON line per applied step, appended only. Lines gather in memory until `sync`; a checkpoint
 * is written after it, with the mark that it returned.
 */
export class Journal {
  private readonly waiting: Uint8Array[] = []

  private constructor(
    private readonly directory: string,
    private readonly fence: number,
    private readonly file: FileHandle,
    private bytes: number,
    private readonly hash: Hash,
  ) {}

  /**
   * Opens the journal at the length that a checkpoint knows, null for none. What lies beyond (steps that were applied
   * but not checkpointed, so that they will be applied again) is set aside as `journal.tail-<n>.jsonl`.
   *
   * @param fence  that this writer holds: one that was overtaken must not write into the file of the next
   * @throws JOURNAL_SHORT, JOURNAL_MISMATCH, CHECKPOINT_DISK_FULL, CHECKPOINT_IO; the file is left as it is then
   */
  static async open(directory: string, fence: number, expected: JournalMark | null): Promise<Journal> {
    const path = journalPath(directory)
    const file = await open(path, 'a+', 0o600).then(async (created) => {
      await created.close()
      return open(path, 'r+')
    })
    try {
      const { bytes, sha256 } = expected ?? { bytes: 0, sha256: EMPTY_SHA256 }
      const { size } = await file.stat()
      if (size < bytes) {
        throw new BcodError('JOURNAL_SHORT', `the checkpoint knows ${bytes} bytes, the file has ${size}`, {
          place: path,
        })
      }
      const hash = await hashPrefix(file, bytes)
      const actual = hash.copy().digest('hex')
      if (actual !== sha256) {
        const message = `sha256 of the first ${bytes} bytes is ${actual}, the checkpoint knows ${sha256}`
        throw new BcodError('JOURNAL_MISMATCH', message, { place: path })
      }
      if (size > bytes) await setTailAside(file, directory, bytes)
      await syncDirectory(directory)
      return new Journal(directory, fence, file, bytes, hash)
    } catch (error) {
      await file.close()
      throw codedFailure(error, 'the journal was not opened', path)
    }
  }

  append(line: JournalLine): void {
    this.waiting.push(new TextEncoder().encode(`${JSON.stringify(line)}\n`))
  }

  /**
   * Writes what was appended and returns once it is on the disk, with the length and hash of the whole.
   * @throws FENCED, CHECKPOINT_DISK_FULL, CHECKPOINT_IO; the lines keep waiting, and the next call writes them
   */
  async sync(): Promise<JournalMark> {
    assertFence(this.directory, this.fence)
    const count = this.waiting.length
    const text = Buffer.concat(this.waiting)
    try {
      await writeAll(this.file, text, this.bytes)
      await this.file.sync()
    } catch (error) {
      throw codedFailure(error, 'the journal was not written', journalPath(this.directory))
    }
    this.waiting.splice(0, count)
    this.bytes += text.length
    this.hash.update(text)
    return { bytes: this.bytes, sha256: this.hash.copy().digest('hex') }
  }

  /** Closes the file. Lines appended after the last `sync` are not written. */
  async close(): Promise<void> {
    await this.file.close()
  }
}

const EMPTY_SHA256 = createHash('sha256').digest('hex')

async function hashPrefix(file: FileHandle, bytes: number): Promise<Hash> {
  const hash = createHash('sha256')
  if (bytes === 0) return hash
  for await (const piece of file.createReadStream({ start: 0, end: bytes - 1, autoClose: false })) {
    hash.update(piece as Buffer)
  }
  return hash
}
