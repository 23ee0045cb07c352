import type { LogRecord, Serializable } from '../events/types.js'
import type { DeadLetter } from './source.js'

export interface DeadLetterQueueOptions {
  /** Letters that may wait; `full` from there on. */
  readonly capacity: number
  /** Resolves when the dead-letter topic has acknowledged all of them. */
  readonly write: (letters: readonly DeadLetter[]) => Promise<void>
  /** Called for each acknowledged letter: its offset has come to its end. */
  readonly acknowledged: (letter: DeadLetter) => void
  /** Called when writing failed; it is tried again after `retryDelay`. */
  readonly failed: (error: unknown, waiting: number) => void
  /** Milliseconds. @default 1_000 */
  readonly retryDelay?: number
}

export interface DeadLetterQueueState {
  readonly letters: readonly StoredLetter[]
}

/** Headers as pairs: a decoder refuses `__proto__` as a key, and a record may call its headers anything. */
export interface StoredLetter extends Omit<DeadLetter, 'record'> {
  readonly record: Omit<LogRecord, 'headers'> & { readonly headers: Pairs; readonly rawHeaders?: Pairs }
}

type Pairs = readonly (readonly [name: string, value: unknown])[]

const AT_ONCE = 100

/**
 * Dead letters on their way out, in order and at least once. A letter stays in the state until the topic has
 * acknowledged it, so that a checkpoint written meanwhile carries it.
 */
export class DeadLetterQueue implements Serializable<DeadLetterQueueState> {
  private waiting: DeadLetter[] = []
  private writing: Promise<void> | null = null
  private stopped = false

  constructor(private readonly options: DeadLetterQueueOptions) {}

  get size(): number {
    return this.waiting.length
  }

  /** Reading must pause: the dead-letter topic does not take letters as fast as they come. */
  get full(): boolean {
    return this.waiting.length >= this.options.capacity
  }

  push(letter: DeadLetter): void {
    this.waiting.push(letter)
    this.start()
  }

  /** Starts writing what a restored state held. */
  start(): void {
    if (this.stopped || this.waiting.length === 0) return
    this.writing ??= this.drain().finally(() => {
      this.writing = null
      // letters that came while the last write was settling
      this.start()
    })
  }

  /** Waits at most `limit` milliseconds for the letters that are out; what is not acknowledged stays in the state. */
  async settle(limit: number): Promise<void> {
    const end = Date.now() + limit
    while (this.waiting.length > 0 && Date.now() < end) await sleep(Math.min(20, limit))
    this.stopped = true
  }

  snapshot(): DeadLetterQueueState {
    return { letters: this.waiting.map(stored) }
  }

  restore(state: DeadLetterQueueState): void {
    this.waiting = state.letters.map(restored)
  }

  private async drain(): Promise<void> {
    while (this.waiting.length > 0 && !this.stopped) {
      const letters = this.waiting.slice(0, AT_ONCE)
      try {
        await this.options.write(letters)
      } catch (error) {
        if (this.stopped) return
        this.options.failed(error, this.waiting.length)
        await sleep(this.options.retryDelay ?? 1_000)
        continue
      }
      this.waiting = this.waiting.slice(letters.length)
      for (const letter of letters) this.options.acknowledged(letter)
    }
  }
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Kafka allows a header more than once; a record that came from there also has its headers as they were. */
type ReadRecord = LogRecord & { readonly rawHeaders?: Readonly<Record<string, unknown>> }

function stored({ record, ...reason }: DeadLetter): StoredLetter {
  const { headers, rawHeaders, ...rest }: ReadRecord = record
  const raw = rawHeaders && { rawHeaders: Object.entries(rawHeaders) }
  return { ...reason, record: { ...rest, headers: Object.entries(headers), ...raw } }
}

/** Byte arrays of a decoded snapshot may be views into it: the letter gets its own. */
function restored({ record, ...reason }: StoredLetter): DeadLetter {
  const { headers, rawHeaders, key, value, ...rest } = record
  const raw = rawHeaders && { rawHeaders: named(rawHeaders) }
  const own: ReadRecord = {
    ...{ ...rest, key: copy(key), value: copy(value) },
    headers: named(headers) as LogRecord['headers'],
    ...raw,
  }
  return { ...reason, record: own }
}

const named = (pairs: Pairs) => Object.fromEntries(pairs.map(([name, value]) => [name, copy(value)]))

function copy<T>(value: T): T
function copy(value: unknown): unknown {
  if (value instanceof Uint8Array) return Uint8Array.from(value)
  return Array.isArray(value) ? value.map(copy) : value
}
