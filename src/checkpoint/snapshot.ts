import type { Adapter } from '../adapters/weights/adapter.js'
import type { JsonValue } from './json.js'

/** All learning state at one point of the chain of checkpoints. `load(write(snapshot))` is the same to the bit. */
export interface Snapshot {
  /** Optimizer steps applied; 0 = the initial adapter. */
  readonly step: number
  /** Counts the checkpoints of one step, written because only positions or pending events moved; 0 = the first. */
  readonly revision: number
  /** The fence of the writer, as taken with `takeFence`. */
  readonly fence: number
  /** The checkpoint that this one follows; null for the first. */
  readonly parent: CheckpointRef | null
  readonly topic: string
  readonly clusterId: string
  /** Next offset to read, per partition. */
  readonly positions: Readonly<Record<number, number>>
  /** Kafka's id of the topic; null if the broker does not tell, absent in checkpoints of older versions. */
  readonly topicId?: string | null
  /** The last record read of each partition, to notice a topic that was recreated. */
  readonly lastRecords: Readonly<Record<number, LastRecord>>
  /** Hashes of what a restart must find unchanged. */
  readonly identities: { readonly base: string; readonly tokenizer: string | null; readonly config: string }
  /** Whatever changes bits, resolved once: executor, dtype, threads, layer form, shapes. */
  readonly resolved: Readonly<Record<string, JsonValue>>
  readonly seed: number
  /** How much of the journal belongs to this checkpoint. */
  readonly journal: JournalMark
  readonly adapter: Adapter
  /** Optimizer moments, δ, classifier. */
  readonly trainerState: ReadonlyMap<string, StateTensor>
  /** Held-back and unbatched events, dedup window, vote ledger: plain data that MessagePack can hold. */
  readonly pending: unknown
  readonly extra: JsonValue
}

/** What tells a record from another one at the same offset. */
export interface RecordMark {
  readonly offset: number
  /** Over key and value. */
  readonly sha256: string
  /** As the log has it; absent in checkpoints of older versions. */
  readonly timestamp?: number
}

/** The last record of a partition, and some that were the last one at earlier checkpoints, newest first. */
export interface LastRecord extends RecordMark {
  readonly earlier?: readonly RecordMark[]
}

export type StateTensor =
  | { readonly dtype: 'f32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: 'f64'; readonly shape: readonly number[]; readonly data: Float64Array }
  | { readonly dtype: 'i32'; readonly shape: readonly number[]; readonly data: Int32Array }

/** A checkpoint by name and by the hash of its manifest, which covers every file. */
export interface CheckpointRef {
  readonly name: string
  readonly sha256: string
}

/** The first bytes of the journal, and their sha256. */
export interface JournalMark {
  readonly bytes: number
  readonly sha256: string
}

/** `step-00001234`, or `step-00001234.r0001` for a later checkpoint of the same step. */
export const checkpointName = (step: number, revision: number): string =>
  `step-${pad(step, 8)}${revision === 0 ? '' : `.r${pad(revision, 4)}`}`

/** Step and revision of a name; null for the name of anything else. */
export function parseCheckpointName(name: string): { readonly step: number; readonly revision: number } | null {
  const match = /^step-(\d{8,})(?:\.r(\d{4,}))?$/.exec(name)
  return match ? { step: Number(match[1]), revision: Number(match[2] ?? 0) } : null
}

const pad = (value: number, digits: number) => String(value).padStart(digits, '0')
