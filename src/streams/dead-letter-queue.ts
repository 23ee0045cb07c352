import { decode, encode } from '@msgpack/msgpack'
import { BcodError } from '../errors.js'
import type { LogRecord, Position, Serializable } from '../events/types.js'
import type { DeadLetterSegments, SegmentRef } from './dead-letter-segments.js'
import { OPEN_OFFSET_BYTES, recordBytes } from './event-bytes.js'
import { isIndex, type RawHeaders, type ReadRecord } from './headers.js'
import { MemoryAccount } from './memory-ledger.js'
import type { DeadLetter } from './source.js'

export interface DeadLetterQueueOptions {
  /** Letters that may wait; `full` from there on. */
  readonly capacity: number
  /** What letters may take on disk; `full` from there on. @default no bound */
  readonly maxDiskBytes?: number
  /** What letters may take in memory; beyond it they wait on disk, where there is `keepOn`. @default 4 MiB */
  readonly maxMemoryBytes?: number
  /** Where their memory is counted. @default an account of its own */
  readonly memory?: MemoryAccount
  /** Resolves when the dead-letter topic has acknowledged all of them. */
  readonly write: (letters: readonly DeadLetter[]) => Promise<void>
  /** Called for each acknowledged letter: its offset has come to its end. */
  readonly acknowledged: (letter: DeadLetter) => void
  /** Called when writing failed, to the topic or to the disk; it is tried again after `retryDelay`. */
  readonly failed: (error: unknown, waiting: number) => void
  /** Milliseconds. @default 1_000 */
  readonly retryDelay?: number
}

export interface DeadLetterQueueState {
  readonly letters: readonly StoredLetter[]
  /** Those on disk, after the others. Missing in checkpoints of versions that kept none there. */
  readonly segments?: readonly SegmentRef[]
}

/** Headers as pairs: a decoder refuses `__proto__` as a key, and a record may call its headers anything. */
export interface StoredLetter extends Omit<DeadLetter, 'record'> {
  readonly record: Omit<LogRecord, 'headers'> & { readonly headers: RawHeaders; readonly rawHeaders?: RawHeaders }
}

interface Waiting {
  readonly letter: DeadLetter
  readonly bytes: number
}

const MAX_PER_WRITE = 100
/** Letters are read from the disk in portions of about this size. */
const PORTION_BYTES = 2 ** 20
const MEMORY_BYTES = 4 * 2 ** 20

/**
 * Dead letters on their way out, in order and at least once. A letter stays in the state until the topic has
 * acknowledged it, so that a checkpoint written meanwhile carries it: a few in itself, the others by where they are on
 * disk. So a topic that is slow or away costs neither memory nor a copy of every letter in every checkpoint.
 */
export class DeadLetterQueue implements Serializable<DeadLetterQueueState> {
  private waiting: Waiting[] = []
  private waitingBytes = 0
  private segments: DeadLetterSegments | null = null
  private readonly memory: MemoryAccount
  private diskFailed = false
  /** The first so many are on their way to the topic. */
  private out = 0
  private writing: Promise<void> | null = null
  private stopped = false

  constructor(private readonly options: DeadLetterQueueOptions) {
    this.memory = options.memory ?? new MemoryAccount()
  }

  get size(): number {
    return this.waiting.length + (this.segments?.count ?? 0)
  }

  /** What waits on disk. */
  get diskBytes(): number {
    return this.segments?.bytes ?? 0
  }

  /** Reading must pause: letters come faster than the dead-letter topic takes them, or the disk does not take them. */
  get full(): boolean {
    const { capacity, maxDiskBytes = Number.POSITIVE_INFINITY } = this.options
    return this.diskFailed || this.size >= capacity || this.diskBytes >= maxDiskBytes
  }

  /** Lets letters wait on disk from now on; before `restore`. */
  keepOn(segments: DeadLetterSegments): void {
    this.segments = segments
  }

  push(letter: DeadLetter): void {
    const bytes = recordBytes(letter.record)
    const isNext = this.segments === null || this.segments.count === 0
    if ((isNext && this.waitingBytes + bytes <= this.maxMemoryBytes) || !this.toDisk(letter)) {
      this.keep({ letter: { ...letter, record: owned(letter.record) }, bytes })
    }
    this.start()
  }

  /**
   * What the disk did not take is offered to it again, the last first: the first is the next to be written. Call it now
   * and then: a topic that is away settles no write that could do it.
   */
  relieve(): void {
    if (this.stopped) return
    while (this.diskFailed && this.waitingBytes > this.maxMemoryBytes && this.waiting.length > this.out) {
      const last = this.waiting.at(-1)
      if (last === undefined || !this.toDisk(last.letter)) return
      this.waiting.pop()
      this.forget(last)
      this.diskFailed = true
    }
    this.diskFailed = false
  }

  /** Starts writing what a restored state held. */
  start(): void {
    if (this.stopped || this.size === 0) return
    this.writing ??= this.drain().finally(() => {
      this.writing = null
      // letters that came while the last write was settling
      this.start()
    })
  }

  /** Waits at most `limit` milliseconds for the letters that are out; what is not acknowledged stays in the state. */
  async settle(limit: number): Promise<void> {
    const end = Date.now() + limit
    while (this.size > 0 && Date.now() < end) await sleep(Math.min(20, limit))
    this.stopped = true
  }

  snapshot(): DeadLetterQueueState {
    const segments = this.segments?.snapshot() ?? []
    return { letters: this.waiting.map(({ letter }) => stored(letter)), ...(segments.length > 0 && { segments }) }
  }

  /** Returns once the disk has all letters that `snapshot` refers to; before the checkpoint is written. */
  async sync(): Promise<void> {
    await this.segments?.sync()
  }

  /**
   * Calls `open` with the place of each letter that waits.
   * @throws LETTERS_DAMAGED
   */
  restore(
    { letters, segments = [] }: DeadLetterQueueState,
    open: (position: Position) => void = () => undefined,
  ): void {
    for (const entry of this.waiting.splice(0)) this.forget(entry)
    for (const letter of letters.map(restored)) this.keep({ letter, bytes: recordBytes(letter.record) })
    for (const { letter } of this.waiting) open(letter.record)
    if (segments.length > 0 && this.segments === null) throw new BcodError('INTERNAL', 'no place for letters on disk')
    this.segments?.restore(segments, (entry) => {
      this.memory.add(OPEN_OFFSET_BYTES)
      open((decode(entry) as StoredLetter).record)
    })
  }

  /** Ends the use of the disk. */
  async close(): Promise<void> {
    await this.segments?.close()
  }

  private get maxMemoryBytes(): number {
    return this.segments === null ? Number.POSITIVE_INFINITY : (this.options.maxMemoryBytes ?? MEMORY_BYTES)
  }

  private keep(entry: Waiting): void {
    this.waiting.push(entry)
    this.waitingBytes += entry.bytes
    this.memory.add(entry.bytes)
  }

  private forget({ bytes }: Waiting): void {
    this.waitingBytes -= bytes
    this.memory.remove(bytes)
  }

  /** False if the disk does not take it: reading then pauses until it does, or the topic has taken enough. */
  private toDisk(letter: DeadLetter): boolean {
    if (this.segments === null) return false
    try {
      this.segments.append(encode(stored(letter)))
      this.memory.add(OPEN_OFFSET_BYTES)
      this.diskFailed = false
      return true
    } catch (error) {
      if (!this.diskFailed) this.options.failed(error, this.size)
      this.diskFailed = true
      return false
    }
  }

  private async drain(): Promise<void> {
    while (this.size > 0 && !this.stopped) {
      try {
        const written = this.waiting.length > 0 ? await this.writeWaiting() : await this.writeFromDisk()
        this.relieve()
        for (const letter of written) this.options.acknowledged(letter)
      } catch (error) {
        if (this.stopped) return
        this.options.failed(error, this.size)
        this.relieve()
        await sleep(this.options.retryDelay ?? 1_000)
      }
    }
  }

  private async writeWaiting(): Promise<readonly DeadLetter[]> {
    const entries = this.waiting.slice(0, MAX_PER_WRITE)
    const letters = entries.map(({ letter }) => letter)
    this.out = entries.length
    await this.options.write(letters).finally(() => {
      this.out = 0
    })
    this.waiting = this.waiting.slice(entries.length)
    for (const entry of entries) this.forget(entry)
    return letters
  }

  private async writeFromDisk(): Promise<readonly DeadLetter[]> {
    const entries = this.segments?.peek(MAX_PER_WRITE, PORTION_BYTES) ?? []
    const letters = entries.map((entry) => restored(decode(entry) as StoredLetter))
    await this.options.write(letters)
    this.segments?.acknowledge(entries)
    this.memory.remove(OPEN_OFFSET_BYTES * letters.length)
    return letters
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

function stored({ record, ...reason }: DeadLetter): StoredLetter {
  return { ...reason, record: { ...record, headers: Object.entries(record.headers) } }
}

/** Byte arrays of a decoded snapshot may be views into it: the letter gets its own. */
const restored = ({ record, ...reason }: StoredLetter): DeadLetter => ({ ...reason, record: own(record) })

/** With its own bytes: as they were fetched, they keep the whole fetch in memory. */
const owned = (record: LogRecord): LogRecord => own({ ...record, headers: Object.entries(record.headers) })

function own(record: StoredLetter['record']): LogRecord {
  const { headers, rawHeaders = headers.some(([name]) => isIndex(name)) ? headers : undefined } = record
  const named = Object.fromEntries(headers.filter(([name]) => !isIndex(name)).map(copy)) as LogRecord['headers']
  const copied: ReadRecord = {
    ...{ ...record, key: copy(record.key), value: copy(record.value), headers: named },
    ...(rawHeaders && { rawHeaders: copy(rawHeaders) }),
  }
  return copied
}

function copy<T>(value: T): T
function copy(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  return Array.isArray(value) ? value.map(copy) : value
}
