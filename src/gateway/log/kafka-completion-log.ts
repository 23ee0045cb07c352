import { setTimeout as sleep } from 'node:timers/promises'
import { asCoded, BcodError } from '../../errors.js'
import { type KeyScan, KeySearch, type SearchResult } from '../../streams/kafka/key-search.js'
import type { KafkaConnection } from '../../streams/kafka/options.js'
import { RecordProducer } from '../../streams/kafka/record-producer.js'
import { type Completion, completionTime } from '../completion.js'
import type { CompletionLog } from '../completion-log.js'
import { BackgroundSender } from './background-sender.js'
import { Bounded } from './bounded.js'
import { RecentRecords } from './recent-records.js'
import { decodeCompletion, encodeCompletion } from './record.js'

export interface KafkaCompletionLogOptions {
  readonly connection: KafkaConnection
  readonly topic: string
  /** The `source` of the records. */
  readonly source: string
  /** The longest time between a request and the end of its answer, milliseconds. */
  readonly maxAnswer: number
  /** What happened to records, for metrics and log. */
  readonly told: {
    logged(count: number): void
    lost(count: number, cause: BcodError | null): void
    changed(problem: BcodError | null): void
  }
}

/** Bytes of records that wait for Kafka, and of records that are remembered for votes. */
const WAITING_BYTES = 64 * 2 ** 20
const RECENT_BYTES = 64 * 2 ** 20
/** How far the clocks of gateways and brokers may differ. */
const SKEW_MS = 60_000
/** Where nearly all records lie: from the request on. */
const NEAR_MS = 60_000
/** One look-up, with all its reading. */
const SEARCH_MS = 10_000
/** A vote may overtake the record of its answer. */
const OVERTAKEN_MS = 5_000
const LOOK_AGAIN_MS = 500
const SEARCHES = 4
const WAITING_SEARCHES = 256
const CLOSE_MS = 5_000
/** In which records gather: one request to a broker costs as much as an answer on its way. */
const LINGER_MS = 20

/** The completions topic. */
export class KafkaCompletionLog implements CompletionLog {
  private readonly recent = new RecentRecords(RECENT_BYTES)
  private readonly producer: RecordProducer
  private readonly sender: BackgroundSender
  private readonly search: KeySearch
  private readonly searches = new Bounded<SearchResult>(SEARCHES, WAITING_SEARCHES)
  private readonly closing = new AbortController()
  private hasBegun = false
  private isTold: boolean | null = null

  constructor(private readonly options: KafkaCompletionLogOptions) {
    const { connection, topic, told } = options
    this.producer = new RecordProducer(connection, topic)
    this.search = new KeySearch(connection, topic)
    this.sender = new BackgroundSender({
      ...{ maxBytes: WAITING_BYTES, linger: LINGER_MS, send: (records) => this.producer.send(records) },
      ...{ sent: told.logged, lost: told.lost, attempted: (problem) => this.tell(problem) },
    })
    void this.begin()
  }

  get available(): boolean {
    return this.hasBegun && this.sender.isKeepingUp
  }

  record(completion: Completion): void {
    const value = encodeCompletion(completion, this.options.source)
    this.recent.put(completion.id, value)
    this.sender.put({ key: completion.id, value })
  }

  async find(id: string): Promise<Completion | null> {
    const time = completionTime(id)?.getTime()
    if (time === undefined) return null
    const signal = AbortSignal.any([AbortSignal.timeout(SEARCH_MS), this.closing.signal])
    const last = time + this.options.maxAnswer + SKEW_MS
    const end = Math.min(Date.now(), last) + OVERTAKEN_MS
    for (let scan: Scan | null = null; ; await sleep(LOOK_AGAIN_MS)) {
      const known = this.recent.get(id)
      if (known !== null) return decodeCompletion(known)
      scan ??= { forward: this.search.begin(id, time), before: this.search.begin(id, time - SKEW_MS) }
      const { value, isTruncated } = await this.searched(id, scan, { time, last, signal })
      if (value !== null) return decodeCompletion(value)
      if (isTruncated) {
        const message = 'the completions topic no longer reaches back to this answer'
        throw new BcodError('COMPLETION_EXPIRED', message, { place: 'completion' })
      }
      if (Date.now() + LOOK_AGAIN_MS > end) return null
    }
  }

  async close(): Promise<void> {
    await this.sender.close(CLOSE_MS)
    this.closing.abort()
    await Promise.allSettled([this.producer.close(), this.search.close()])
  }

  /** Until Kafka has answered once, no answer is promised to be found. */
  private async begin(): Promise<void> {
    while (!this.closing.signal.aborted) {
      try {
        await this.producer.send([])
        this.hasBegun = true
        this.tell(null)
        return
      } catch (error) {
        if (this.closing.signal.aborted) return
        this.tell(asCoded(error))
        await sleep(LOOK_AGAIN_MS, undefined, { signal: this.closing.signal }).catch(() => undefined)
      }
    }
  }

  private tell(problem: BcodError | null): void {
    if (this.isTold === (problem !== null)) return
    this.isTold = problem !== null
    this.options.told.changed(problem)
  }

  private async searched(id: string, scan: Scan, bounds: Bounds): Promise<SearchResult> {
    const { signal } = bounds
    try {
      return await this.searches.run(id, () => this.nearThenFar(scan, bounds))
    } catch (error) {
      if (error instanceof BcodError && error.code === 'LOG_UNAVAILABLE') throw error
      const reason = signal.aborted ? 'reading it took too long' : asCoded(error).code
      throw new BcodError('LOG_UNAVAILABLE', `the completions topic cannot be read: ${reason}`, {
        place: this.options.topic,
        cause: error,
      })
    }
  }

  /** Most answers take less than a minute and all clocks agree: what lies around that is read only if it must be. */
  private async nearThenFar({ forward, before }: Scan, { time, last, signal }: Bounds): Promise<SearchResult> {
    signal.throwIfAborted()
    // what lies near is what the next votes are on
    const seen = (key: string, value: Uint8Array) => this.recent.put(key, Buffer.from(value))
    const near = await forward.readTo(time + NEAR_MS, signal, seen)
    if (near.value !== null) return near
    const early = await before.readTo(time, signal)
    if (early.value !== null || early.isTruncated) return early
    return forward.readTo(last, signal)
  }
}

/** A look-up, as far as it has come. */
interface Scan {
  /** From the time in the id on. */
  readonly forward: KeyScan
  /** Up to it, should clocks differ. */
  readonly before: KeyScan
}

interface Bounds {
  readonly time: number
  /** The latest time that the record can have. */
  readonly last: number
  readonly signal: AbortSignal
}
