import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, truncateSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { decodeMulti, encode } from '@msgpack/msgpack'
import { asyncScheduler, interval, Observable, type SchedulerLike, Subject } from 'rxjs'
import type { LogRecord } from '../events/types.js'
import type { Assignment, DeadLetter, FeedbackLog, RecordBatch } from './source.js'

const PARTITION = 0
/** How often readers get the end of the log. */
const BETWEEN_LOOKS = 2_000

interface StoredRecord {
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: Record<string, Uint8Array>
}

/**
 * An append-only log of one partition in a directory: what the demo runs on if there is no Kafka. It keeps the
 * contract of `FeedbackLog`: records have offsets, offsets are committed, dead letters are appended to a file of
 * their own.
 */
export class EmbeddedLog implements FeedbackLog {
  readonly #appended$ = new Subject<void>()
  readonly #records: LogRecord[] = []
  readonly #file: number
  readonly #letters: number
  #paused = false
  #committed: number | null = null

  constructor(
    readonly directory: string,
    readonly topic: string,
    private readonly scheduler: SchedulerLike = asyncScheduler,
  ) {
    mkdirSync(directory, { recursive: true, mode: 0o700 })
    const path = join(directory, `${topic}.log`)
    this.#file = openSync(path, 'a', 0o600)
    this.#letters = openSync(join(directory, `${topic}.dlq.log`), 'a', 0o600)
    this.#load(path)
  }

  /** The offset after the last record. */
  get end(): number {
    return this.#records.length
  }

  /** Appends records and makes them durable; readers get them as one batch. */
  append(records: readonly StoredRecord[]): void {
    for (const record of records) {
      writeSync(this.#file, encode(record))
      this.#keep(record)
    }
    fsyncSync(this.#file)
    this.#appended$.next()
  }

  async clusterId(): Promise<string> {
    return 'embedded'
  }

  async retentionMs(): Promise<null> {
    return null
  }

  read(hooks: Parameters<FeedbackLog['read']>[0]): Observable<RecordBatch> {
    return new Observable((subscriber) => {
      let next = 0
      const emit = () => {
        if (this.#paused || subscriber.closed) return
        const records = this.#records.slice(next)
        next = this.end
        subscriber.next({ partition: PARTITION, records, nextOffset: next, logEnd: this.end })
      }
      const assignment: Assignment = {
        partitions: [PARTITION],
        total: 1,
        bounds: new Map([[PARTITION, { start: 0, end: this.end }]]),
        committed: new Map(this.#committed === null ? [] : [[PARTITION, this.#committed]]),
      }
      hooks.positionsFor(assignment).then(
        (positions) => {
          next = positions.get(PARTITION) ?? 0
          subscriber.add(this.#appended$.subscribe(emit))
          subscriber.add(interval(BETWEEN_LOOKS, this.scheduler).subscribe(emit))
          emit()
        },
        (error: unknown) => subscriber.error(error),
      )
    })
  }

  pause(): void {
    this.#paused = true
  }

  resume(): void {
    this.#paused = false
    this.#appended$.next()
  }

  async members(): Promise<number> {
    return 0
  }

  async commit(offsets: ReadonlyMap<number, number>): Promise<void> {
    this.#committed = offsets.get(PARTITION) ?? this.#committed
  }

  async recordAt(partition: number, offset: number): Promise<LogRecord | null> {
    return partition === PARTITION ? (this.#records[offset] ?? null) : null
  }

  async writeDeadLetters(letters: readonly DeadLetter[]): Promise<void> {
    for (const letter of letters) writeSync(this.#letters, encode(letter))
    fsyncSync(this.#letters)
  }

  async close(): Promise<void> {
    this.#appended$.complete()
    closeSync(this.#file)
    closeSync(this.#letters)
  }

  /** A record that a crash cut short was never handed on: it is cut off, so that the next one can follow. */
  #load(path: string): void {
    let whole = 0
    try {
      for (const stored of decodeMulti(readFileSync(path)) as Iterable<StoredRecord>) {
        this.#keep(stored)
        whole += encode(stored).length
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      truncateSync(path, whole)
    }
  }

  #keep({ timestamp, key, value, headers }: StoredRecord): void {
    this.#records.push({ topic: this.topic, partition: PARTITION, offset: this.end, timestamp, key, value, headers })
  }
}
