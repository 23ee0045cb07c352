import { createHash } from 'node:crypto'
import type { LastRecord, RecordMark, Snapshot } from '../../checkpoint/snapshot.js'
import type { Config } from '../../config/config.js'
import type { Feedback, LogRecord, Position, Serializable, TrainingEvent } from '../../events/types.js'
import type { AdmissionState } from '../../streams/admit.js'
import { ArmTally, type ArmTallyState } from '../../streams/arm-tally.js'
import { Batcher, type BatcherState } from '../../streams/batcher.js'
import type { BoundedMapState } from '../../streams/collections/bounded-map.js'
import {
  DeadLetterQueue,
  type DeadLetterQueueOptions,
  type DeadLetterQueueState,
} from '../../streams/dead-letter-queue.js'
import type { Drop } from '../../streams/drop.js'
import type { HeldOutState } from '../../streams/held-out-votes.js'
import type { HoldBackState } from '../../streams/hold-back.js'
import { Positions, type PositionsState } from '../../streams/positions.js'
import type { TextQueueState } from '../../streams/text-queue.js'
import { type VoteSettings, VoteState } from '../../streams/vote-state.js'
import { Watermark, type WatermarkState } from '../../streams/watermark.js'

/** Everything of the stream that a checkpoint keeps beside the learner's state (`pending.bin`). */
export interface StreamSnapshot {
  readonly positions: PositionsState
  readonly watermark: WatermarkState
  readonly dedup: BoundedMapState
  readonly ledger: BoundedMapState
  readonly held: HoldBackState
  readonly admission: AdmissionState
  /** Checkpoints of a time when votes were tokenised at once have none. */
  readonly texts?: TextQueueState
  /** Absent in older checkpoints, which kept no held-out votes. */
  readonly heldOut?: HeldOutState
  /** Absent while votes are not counted by arm. */
  readonly arms?: ArmTallyState
  readonly batcher: BatcherState
  readonly letters: DeadLetterQueueState
}

/** The states of all stages, in one place. `snapshot` at any instant between steps is consistent with the learner. */
export class StreamState extends VoteState implements Serializable<StreamSnapshot> {
  readonly positions = new Positions()
  readonly watermark = new Watermark()
  readonly batcher: Batcher
  readonly deadLetters: DeadLetterQueue
  /** Votes by the arm that answered. */
  readonly arms: ArmTally
  /** Of the log that was read; null until that is known. */
  topicId: string | null = null
  readonly #lastRecords = new Map<number, LogRecord>()
  readonly #lastMarks = new Map<number, RecordMark>()
  #known: Record<number, LastRecord> = {}

  constructor(
    { batch, canary, ...config }: VoteSettings & Pick<Config, 'batch' | 'canary'>,
    drop: Drop,
    letters: Pick<DeadLetterQueueOptions, 'write' | 'acknowledged' | 'failed'>,
  ) {
    super(config, drop)
    const { memory } = this
    this.arms = new ArmTally({ ...canary, isOn: canary.share > 0 || canary.controlShare > 0 })
    this.batcher = new Batcher({ ...batch, memory: memory.batching })
    const { deadLetterBuffer: capacity, dlqSpillBytes: maxDiskBytes } = config.stream
    this.deadLetters = new DeadLetterQueue({ capacity, maxDiskBytes, memory: memory.letters, ...letters })
  }

  /** Events that wait for their step. */
  get waiting(): number {
    return this.texts.count + this.batcher.count
  }

  /** Records read so far, as the sum of the read positions over partitions. */
  get recordsRead(): number {
    return Object.values(this.nextOffsets()).reduce((sum, offset) => sum + offset, 0)
  }

  /** Nothing is held back, no step is under way, and too little waits for a batch of `size`. */
  isIdle(size: number): boolean {
    const { held, texts, batcher } = this
    const isWorking = held.heldCount > 0 || texts.count > 0 || batcher.count > batcher.waiting
    return !isWorking && batcher.waiting < size
  }

  /** Opens the offset of a record just read; false if it was read before. */
  track(record: LogRecord): boolean {
    if (!this.positions.track(record)) return false
    this.#lastRecords.set(record.partition, record)
    return true
  }

  /** Lets go of the records that were read: each keeps all that was fetched with it in memory. */
  releaseRecords(): void {
    for (const [partition, record] of this.#lastRecords) this.#lastMarks.set(partition, recordMark(record))
    this.#lastRecords.clear()
  }

  /** Marks of the last records read of each partition, to notice a log that has become another one. */
  lastRecords(): Record<number, LastRecord> {
    this.releaseRecords()
    for (const [partition, mark] of this.#lastMarks) {
      const { earlier = [], ...last } = this.#known[partition] ?? {}
      const before = 'offset' in last ? [last, ...earlier].slice(0, EARLIER) : []
      this.#known[partition] = { ...mark, ...(before.length > 0 && { earlier: before }) }
    }
    this.#lastMarks.clear()
    return { ...this.#known }
  }

  /** Next offset to read, per partition. */
  nextOffsets(): Record<number, number> {
    return Object.fromEntries(this.positions.snapshot().next)
  }

  snapshot(): StreamSnapshot {
    return {
      positions: this.positions.snapshot(),
      watermark: this.watermark.snapshot(),
      dedup: this.dedup.snapshot(),
      ledger: this.ledger.snapshot(),
      held: this.held.snapshot(),
      admission: this.admission.snapshot(),
      texts: this.texts.snapshot(),
      heldOut: this.heldOut.snapshot(),
      ...(this.arms.isOn && { arms: this.arms.snapshot() }),
      batcher: this.batcher.snapshot(),
      letters: this.deadLetters.snapshot(),
    }
  }

  restore(
    state: StreamSnapshot,
    { lastRecords, topicId = null }: Pick<Snapshot, 'lastRecords' | 'topicId'> = { lastRecords: {} },
  ): void {
    this.#known = { ...lastRecords }
    this.#lastRecords.clear()
    this.#lastMarks.clear()
    this.topicId = topicId
    this.positions.restore(state.positions)
    this.watermark.restore(state.watermark)
    this.dedup.restore(state.dedup)
    this.ledger.restore(state.ledger)
    this.admission.restore(state.admission)
    this.held.restore(state.held)
    this.texts.restore(state.texts ?? { votes: [] })
    this.heldOut.restore(state.heldOut ?? { votes: [], retracted: [] })
    if (state.arms && this.arms.isOn) this.arms.restore(state.arms)
    this.batcher.restore(state.batcher)
    const restoreOpen = (position: Position) => this.positions.restoreOpen(position)
    this.deadLetters.restore(state.letters, restoreOpen)
    const waiting = [...state.held.held, ...(state.texts?.votes ?? []), ...state.batcher.events]
    for (const { position } of waiting) restoreOpen(position)
  }
}

/** Those of so many earlier checkpoints: the last record itself may be compacted away. */
const EARLIER = 7

const recordMark = (record: LogRecord): RecordMark => ({
  offset: record.offset,
  sha256: recordSha256(record),
  timestamp: record.timestamp,
})

/** Whether this is the record that the mark was made of. */
export const isMarked = (record: LogRecord, { sha256, timestamp = record.timestamp }: RecordMark): boolean =>
  record.timestamp === timestamp && recordSha256(record) === sha256

/** sha256 over key and value. */
export function recordSha256({ key, value }: LogRecord): string {
  const part = (bytes: Uint8Array | null) => (bytes === null ? 'null' : `${bytes.byteLength}:`)
  const hash = createHash('sha256').update(part(key))
  if (key) hash.update(key)
  hash.update(part(value))
  if (value) hash.update(value)
  return hash.digest('hex')
}

/** A training event as a vote with token ids, for a dead letter: its record is no longer kept. */
export const asFeedback = (event: TrainingEvent): Feedback => ({
  position: event.position,
  timestamp: event.timestamp,
  source: event.source,
  id: event.id,
  subject: event.subject,
  user: event.user,
  label: event.label,
  prompt: { kind: 'tokens', tokens: event.promptTokens },
  completion: { kind: 'tokens', tokens: event.completionTokens },
  adapter: null,
  logprob: null,
  weight: event.weight,
})
