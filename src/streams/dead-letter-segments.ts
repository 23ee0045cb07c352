import { createHash, type Hash } from 'node:crypto'
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  writeSync,
} from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { codedFailure } from '../checkpoint/failure.js'
import { assertFence } from '../checkpoint/fence.js'
import { BcodError } from '../errors.js'
import { syncDirectory } from '../files/durable-files.js'

/** A checkpoint's reference to a segment: the range of entries that were not acknowledged. */
export interface SegmentRef {
  readonly name: string
  readonly start: number
  readonly end: number
  readonly count: number
  /** Of the first `end` bytes. */
  readonly sha256: string
}

export interface DeadLetterSegmentsOptions {
  /** The directory of checkpoints: segments are in `letters` within it. */
  readonly directory: string
  /** The fence that this writer holds; it is in the names of its segments, so that none is ever used twice. */
  readonly fence: number
  /** A segment is closed at this size. @default 16 MiB */
  readonly segmentBytes?: number
  /** Called when an acknowledged segment could not be removed. */
  readonly failed: (error: unknown) => void
}

/** A file of entries, each preceded by its length in four bytes. */
interface Segment {
  readonly name: string
  readonly file: number
  readonly hash: Hash
  /** False for a restored one: only its first `end` bytes are verified, and nothing is appended. */
  readonly isOwn: boolean
  start: number
  end: number
  count: number
  synced: boolean
}

const LENGTH_BYTES = 4
const SEGMENT_BYTES = 16 * 2 ** 20

/**
 * A queue of byte strings on disk. Each is written once, however many checkpoints it waits through: a checkpoint refers
 * to it by segment, range and hash. Entries are acknowledged from the head; a segment whose entries are all acknowledged
 * is recorded in `acknowledged.json` and then removed, so that an older checkpoint that refers to it is not damaged.
 */
export class DeadLetterSegments {
  private readonly root: string
  private readonly segments: Segment[] = []
  private readonly acknowledged: Record<string, number>
  private made = 0
  private waiting = 0
  private bytesOnDisk = 0
  /** Acknowledged, and not removed yet. */
  private finished: Segment[] = []
  /** The first of these are in `acknowledged.json`. */
  private noted = 0
  private removing: Promise<void> = Promise.resolve()
  private namesSynced = true

  constructor(private readonly options: DeadLetterSegmentsOptions) {
    this.root = join(options.directory, LETTERS)
    this.acknowledged = readAcknowledged(this.root)
  }

  /** Entries that are not acknowledged. */
  get count(): number {
    return this.waiting
  }

  /** Bytes of all segments on disk. */
  get bytes(): number {
    return this.bytesOnDisk
  }

  /** @throws FENCED, CHECKPOINT_DISK_FULL, CHECKPOINT_IO; nothing is added then */
  append(entry: Uint8Array): void {
    const framed = Buffer.allocUnsafe(LENGTH_BYTES + entry.byteLength)
    framed.writeUInt32LE(entry.byteLength)
    framed.set(entry, LENGTH_BYTES)
    try {
      const segment = this.writable()
      for (let done = 0; done < framed.length; ) {
        done += writeSync(segment.file, framed, done, framed.length - done, segment.end + done)
      }
      segment.hash.update(framed)
      segment.end += framed.length
      segment.count += 1
      segment.synced = false
      this.waiting += 1
      this.bytesOnDisk += framed.length
    } catch (error) {
      throw codedFailure(error, 'a dead letter was not kept', this.root)
    }
  }

  /** The next entries: at most `count`, and about `bytes` unless the first alone is larger. @throws CHECKPOINT_IO */
  peek(count: number, bytes: number): readonly Uint8Array[] {
    const segment = this.segments[0]
    if (segment === undefined) return []
    const entries: Uint8Array[] = []
    let at = segment.start
    while (at < segment.end && entries.length < count && (entries.length === 0 || at - segment.start < bytes)) {
      const entry = readEntry(segment.file, at, this.path(segment.name))
      entries.push(entry)
      at += LENGTH_BYTES + entry.byteLength
    }
    return entries
  }

  /** Acknowledges the entries that `peek` returned. */
  acknowledge(entries: readonly Uint8Array[]): void {
    const segment = this.segments[0]
    if (segment === undefined) return
    for (const { byteLength } of entries) segment.start += LENGTH_BYTES + byteLength
    segment.count -= entries.length
    this.waiting -= entries.length
    if (segment.count > 0) return
    this.segments.shift()
    closeSync(segment.file)
    this.finished.push(segment)
    this.serially(() => this.removeFinished()).catch((error) => this.options.failed(error))
  }

  snapshot(): readonly SegmentRef[] {
    return this.segments.map(({ name, start, end, count, hash }) => ({
      ...{ name, start, end, count },
      sha256: hash.copy().digest('hex'),
    }))
  }

  /**
   * Resolves once everything that `snapshot` refers to is durable, and so is the note of the segments that it no longer
   * refers to: a restart from that checkpoint removes these, and older checkpoints must not miss them.
   *
   * @throws FENCED, CHECKPOINT_DISK_FULL, CHECKPOINT_IO
   */
  async sync(): Promise<void> {
    try {
      await this.serially(() => this.noteFinished())
      for (const segment of this.segments.filter(({ synced }) => !synced)) await this.syncSegment(segment)
      if (this.namesSynced) return
      this.namesSynced = true
      await syncDirectory(this.root)
      await syncDirectory(this.options.directory)
    } catch (error) {
      this.namesSynced = false
      throw codedFailure(error, 'dead letters were not synced', this.root)
    }
  }

  /**
   * Opens the segments that a checkpoint refers to and removes all others. Calls `each` with every waiting entry, in order.
   *
   * @throws LETTERS_DAMAGED
   */
  restore(refs: readonly SegmentRef[], each: (entry: Uint8Array) => void): void {
    const waiting = refs.filter(({ name }) => !this.isAcknowledged(name))
    const segments = waiting.map((ref) => this.verified(ref))
    const known = new Set(waiting.map(({ name }) => name))
    for (const name of segmentNames(this.root)) if (!known.has(name)) rmSync(this.path(name), { force: true })
    for (const [i, ref] of waiting.entries()) {
      const segment = segments[i]!
      this.segments.push(segment)
      this.waiting += segment.count
      this.bytesOnDisk += segment.end
      for (let at = ref.start; at < ref.end; ) {
        const entry = readEntry(segment.file, at, this.path(ref.name))
        each(entry)
        at += LENGTH_BYTES + entry.byteLength
      }
    }
  }

  /** Removes acknowledged segments and closes the files. */
  async close(): Promise<void> {
    await this.removing
    for (const { file } of this.segments.splice(0)) closeSync(file)
  }

  private async syncSegment(segment: Segment): Promise<void> {
    const { end } = segment
    try {
      const file = await open(this.path(segment.name), 'r+')
      try {
        await file.sync()
      } finally {
        await file.close()
      }
      if (segment.end === end) segment.synced = true
    } catch (error) {
      // acknowledged and removed in the meantime: no checkpoint needs it
      if (this.segments.includes(segment)) throw error
    }
  }

  private path(name: string): string {
    return join(this.root, name)
  }

  private writable(): Segment {
    const last = this.segments.at(-1)
    if (last?.isOwn && last.end < (this.options.segmentBytes ?? SEGMENT_BYTES)) return last
    assertFence(this.options.directory, this.options.fence)
    mkdirSync(this.root, { recursive: true, mode: 0o700 })
    const name = `${String(this.options.fence).padStart(8, '0')}-${String(this.made + 1).padStart(8, '0')}`
    const file = openSync(this.path(name), 'wx+', 0o600)
    this.made += 1
    this.namesSynced = false
    const empty = { start: 0, end: 0, count: 0, synced: true, isOwn: true }
    const segment: Segment = { name, file, hash: createHash('sha256'), ...empty }
    this.segments.push(segment)
    return segment
  }

  /** Runs after the work before it has settled. */
  private serially(work: () => Promise<void>): Promise<void> {
    const run = this.removing.then(work)
    this.removing = run.catch(() => undefined)
    return run
  }

  private async removeFinished(): Promise<void> {
    await this.noteFinished()
    for (const { name, end } of this.finished.slice(0, this.noted)) {
      await rm(this.path(name), { force: true })
      this.finished.shift()
      this.noted -= 1
      this.bytesOnDisk -= end
    }
  }

  private async noteFinished(): Promise<void> {
    const { length } = this.finished
    if (this.noted === length) return
    assertFence(this.options.directory, this.options.fence)
    for (const { name } of this.finished) {
      const [writer, number] = parts(name)
      this.acknowledged[writer] = Math.max(number, this.acknowledged[writer] ?? 0)
    }
    const temporary = join(this.root, `${ACKNOWLEDGED}.new`)
    const note = await open(temporary, 'w', 0o600)
    try {
      await note.writeFile(JSON.stringify(this.acknowledged))
      await note.sync()
    } finally {
      await note.close()
    }
    await rename(temporary, join(this.root, ACKNOWLEDGED))
    await syncDirectory(this.root)
    this.noted = length
  }

  private isAcknowledged(name: string): boolean {
    const [writer, number] = parts(name)
    return number <= (this.acknowledged[writer] ?? 0)
  }

  /** Opens the segment of a reference and checks its hash. */
  private verified({ name, start, end, count, sha256 }: SegmentRef): Segment {
    const place = this.path(name)
    const damaged = (message: string) => new BcodError('LETTERS_DAMAGED', message, { place })
    if (!existsSync(place)) throw damaged('is missing')
    const file = openSync(place, 'r')
    const { size } = fstatSync(file)
    if (size < end) throw damaged(`expected ${end} bytes, got ${size}`)
    const hash = createHash('sha256')
    const piece = Buffer.allocUnsafe(2 ** 20)
    for (let at = 0; at < end; ) {
      const read = readSync(file, piece, 0, Math.min(piece.length, end - at), at)
      if (read === 0) throw damaged(`ends at byte ${at}`)
      hash.update(piece.subarray(0, read))
      at += read
    }
    const found = hash.copy().digest('hex')
    if (found !== sha256) throw damaged(`expected sha256 ${sha256}, got ${found}`)
    return { name, file, hash, isOwn: false, start, end, count, synced: true }
  }
}

const LETTERS = 'letters'
const ACKNOWLEDGED = 'acknowledged.json'

const SEGMENT = /^(\d{8,})-(\d{8,})$/

/** The fence of its writer, and its number among that writer's segments. */
function parts(name: string): readonly [writer: string, number: number] {
  const [, writer = '', number = ''] = SEGMENT.exec(name) ?? []
  return [String(Number(writer)), Number(number)]
}

const segmentNames = (root: string): readonly string[] =>
  existsSync(root) ? readdirSync(root).filter((name) => SEGMENT.test(name)) : []

function readAcknowledged(root: string): Record<string, number> {
  try {
    return JSON.parse(readFileSync(join(root, ACKNOWLEDGED), 'utf8')) as Record<string, number>
  } catch {
    // none was acknowledged yet; if the file is damaged, a missing segment is reported
    return {}
  }
}

function readEntry(file: number, at: number, place: string): Uint8Array {
  const length = readBytes(file, LENGTH_BYTES, at, place).readUInt32LE()
  const bytes = readBytes(file, length, at + LENGTH_BYTES, place)
  // no Buffer: what is decoded from one would be Buffers
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function readBytes(file: number, length: number, at: number, place: string): Buffer {
  const bytes = Buffer.allocUnsafeSlow(length)
  for (let done = 0; done < length; ) {
    const read = readSync(file, bytes, done, length - done, at + done)
    if (read === 0) throw new BcodError('LETTERS_DAMAGED', `ends at byte ${at + done}`, { place })
    done += read
  }
  return bytes
}
