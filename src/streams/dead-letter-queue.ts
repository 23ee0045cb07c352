import { decode, encode } from '@msgpack/msgpack'
import { BcodError } from '../errors.js'
import type { LogRecord, Position, Serializable } from '../events/types.js'
import type { DeadLetterSegments, SegmentRef } from './dead-letter-segments.js'
import { OPEN_OFFSET_BYTES, recordBytes } from './event-bytes.js'
import { isIndex, type RawHeaders, type ReadRecord } from './headers.js'
import { MemoryAccount } from './memory-ledger.js'
import type { DeadLetter } from './source.js'

export interface DeadLetterQueueOptions {
  /** Dead letters that may wait before the queue is `full`. */
  readonly capacity: number
  /** Bytes on disk before the queue is `full`. @default no bound */
  readonly maxDiskBytes?: number
  /** Bytes in memory; further ones wait on disk if `keepOn` was called. @default 4 MiB */
  readonly maxMemoryBytes?: number
  /** The account that counts their memory. @default an account of its own */
  readonly memory?: MemoryAccount
  /** Resolves when the dead-letter topic has acknowledged all of them. */
  readonly write: (letters: readonly DeadLetter[]) => Promise<void>
  /** Called for each dead letter that the topic has acknowledged. */
  readonly acknowledged: (letter: DeadLetter) => void
  /** Called when a write to the topic or the disk failed; it is retried after `retryDelay`. */
  readonly failed: (error: unknown, waiting: number) => void
  /** Milliseconds. @default 1_000 */
  readonly retryDelay?: number
}

export interface DeadLetterQueueState {
  readonly letters: readonly StoredLetter[]
  /** Those on disk, after the others. Missing in checkpoints of older versions. */
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
 * Writes dead letters to their topic in order, at least once. A dead letter stays in the state until the topic has
 * acknowledged it, so every checkpoint includes it: a few directly, the others by their place on disk. A slow or
 * unavailable topic thus costs neither memory nor a copy of every dead letter in every checkpoint.
 */
export class DeadLetterQueue implements Serializable<DeadLetterQueueState> {
  private waiting: Waiting[] = []
  private waitingBytes = 0
  private segments: DeadLetterSegments | null = null
  private readonly memory: MemoryAccount
  private diskFailed = false
  /** This many, from the head, are being written. */
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

  /** Reading must pause: dead letters arrive faster than their topic accepts them, or the disk is full. */
  get full(): boolean {
    const { capacity, maxDiskBytes = Number.POSITIVE_INFINITY } = this.options
    return this.diskFailed || this.size >= capacity || this.diskBytes >= maxDiskBytes
  }

  /** Allows dead letters to wait on disk; call it before `restore`. */
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
   * Moves dead letters to the disk that it refused before, the last first, as the first is written next. Call it
   * regularly: while the topic is unavailable, no write settles and triggers it.
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

  /** Starts writing, after `restore`. */
  start(): void {
    if (this.stopped || this.size === 0) return
    this.writing ??= this.drain().finally(() => {
      this.writing = null
      // some may have arrived while the last write was settling
      this.start()
    })
  }

  /** Waits up to `limit` milliseconds until all are written; the rest stays in the state. */
  async settle(limit: number): Promise<void> {
    const end = Date.now() + limit
    while (this.size > 0 && Date.now() < end) await sleep(Math.min(20, limit))
    this.stopped = true
  }

  snapshot(): DeadLetterQueueState {
    const segments = this.segments?.snapshot() ?? []
    return { letters: this.waiting.map(({ letter }) => stored(letter)), ...(segments.length > 0 && { segments }) }
  }

  /** Resolves once everything that `snapshot` refers to is durable; call it before the checkpoint is written. */
  async sync(): Promise<void> {
    await this.segments?.sync()
  }

  /**
   * Calls `open` with the position of each waiting dead letter.
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

  /** Closes the files. */
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

  /** False if the disk refused it; reading then pauses until the disk or the topic accepts more. */
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

/** Copies byte arrays, which may be views into the decoded snapshot. */
const restored = ({ record, ...reason }: StoredLetter): DeadLetter => ({ ...reason, record: own(record) })

/** Copies the bytes: a view would keep the whole fetch in memory. */
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
