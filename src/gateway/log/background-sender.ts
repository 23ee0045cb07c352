import { setTimeout as sleep } from 'node:timers/promises'
import { asCoded, BcodError } from '../../errors.js'

/** A record that waits to be sent. */
export interface Waiting {
  readonly key: string
  readonly value: Uint8Array
}

export interface SenderOptions {
  /** Resolves when the records are safe; rejects with a coded error. */
  readonly send: (records: readonly Waiting[]) => Promise<void>
  /** Bytes that may wait. What comes beyond them is lost. */
  readonly maxBytes: number
  readonly sent: (count: number) => void
  /** @param cause  null: there was no room */
  readonly lost: (count: number, cause: BcodError | null) => void
  /** After each attempt: why it failed, or null. */
  readonly attempted: (problem: BcodError | null) => void
  /** Milliseconds between two attempts. @default 500 */
  readonly pause?: number
  /** Milliseconds after which records that are on their way count as failing. @default 5,000 */
  readonly slow?: number
  /** Milliseconds in which records gather, so that a broker is not asked once for each. @default 0 */
  readonly linger?: number
}

const BATCH_RECORDS = 500
const BATCH_BYTES = 2 ** 20
/** What waits for longer than this has met a broker that hangs, or one that the client is still trying to reach. */
const SLOW_MS = 5_000
const SLOW = 'Kafka has not taken the records of answers for some seconds; they wait'

/** Sends records in their order, beside whoever puts them in, and again until they are safe. */
export class BackgroundSender {
  private waiting: Waiting[] = []
  private bytes = 0
  private problem: BcodError | null = null
  private running: Promise<void> | null = null
  private readonly closing = new AbortController()

  constructor(private readonly options: SenderOptions) {}

  /** Whether what is put in now can be expected to be safe soon. */
  get isKeepingUp(): boolean {
    return this.problem === null && this.bytes < this.options.maxBytes / 2
  }

  /** Never throws and never waits. */
  put(record: Waiting): void {
    const size = sizeOf(record)
    if (this.closing.signal.aborted || this.bytes + size > this.options.maxBytes) {
      this.options.lost(1, null)
      return
    }
    this.waiting.push(record)
    this.bytes += size
    this.running ??= this.run().finally(() => {
      this.running = null
    })
  }

  /** Waits for what is on its way, up to `limit` milliseconds; the rest is lost. */
  async close(limit: number): Promise<void> {
    await Promise.race([this.running, sleep(limit, undefined, { ref: false })])
    this.closing.abort()
    if (this.waiting.length > 0) this.options.lost(this.waiting.length, null)
  }

  private async run(): Promise<void> {
    while (this.waiting.length > 0 && !this.closing.signal.aborted) {
      if (this.bytes < BATCH_BYTES) await this.wait(this.options.linger ?? 0)
      const batch = this.nextBatch()
      const slow = setTimeout(() => this.tell(new BcodError('KAFKA_UNREACHABLE', SLOW)), this.options.slow ?? SLOW_MS)
      const isSafe = await this.sendBatch(batch)
      clearTimeout(slow)
      if (!isSafe) await this.wait(this.options.pause ?? 500)
    }
  }

  private async wait(milliseconds: number): Promise<void> {
    const { signal } = this.closing
    if (milliseconds > 0) await sleep(milliseconds, undefined, { signal }).catch(() => undefined)
  }

  /** False if the batch, or what is left of it, is to be tried again. */
  private async sendBatch(batch: readonly Waiting[]): Promise<boolean> {
    try {
      await this.options.send(batch)
      this.done(batch.length)
      this.options.sent(batch.length)
      this.tell(null)
      return true
    } catch (error) {
      const coded = asCoded(error)
      if (!isRefused(coded)) {
        this.tell(coded)
        return false
      }
      // one record of it is what the topic does not take
      if (batch.length > 1) return this.oneByOne(batch)
      this.done(1)
      this.options.lost(1, coded)
      return true
    }
  }

  private async oneByOne(batch: readonly Waiting[]): Promise<boolean> {
    for (const record of batch) if (!(await this.sendBatch([record]))) return false
    return true
  }

  private nextBatch(): readonly Waiting[] {
    let end = 0
    for (let bytes = 0; end < Math.min(this.waiting.length, BATCH_RECORDS); end++) {
      bytes += sizeOf(this.waiting[end] as Waiting)
      if (end > 0 && bytes > BATCH_BYTES) break
    }
    return this.waiting.slice(0, end)
  }

  private done(count: number): void {
    for (const record of this.waiting.splice(0, count)) this.bytes -= sizeOf(record)
  }

  private tell(problem: BcodError | null): void {
    this.problem = problem
    this.options.attempted(problem)
  }
}

/** Only the records themselves can be at fault, as one that is longer than the topic takes. */
const isRefused = ({ code }: BcodError): boolean => code === 'KAFKA_FAILED'

const sizeOf = ({ key, value }: Waiting): number => key.length + value.length
