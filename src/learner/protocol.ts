import type { Adapter } from '../adapters/weights/adapter.js'
import type { StateTensor } from '../checkpoint/snapshot.js'
import type { TrainingEvent } from '../events/types.js'
import type { SamplingOptions } from '../model/generate.js'
import type { SerializedError } from '../serialized-error.js'
import type { LearnerConfig } from './config.js'
import type { Learner, StepOutcome } from './learner.js'
import type { GivenOptions } from './open-model.js'
import type { PlaceUse } from './place-times.js'
import type { TokenPair } from './token-trees.js'

/** What the worker is started with. */
export interface WorkerSetup {
  readonly config: LearnerConfig
  readonly decoder: { readonly rows: number; readonly length: number } | null
  /** What it is to compute under adapters that it is given. @default nothing */
  readonly given?: GivenOptions | null
  /** `host:port` of the workers that can be used. @default none */
  readonly workers?: readonly string[]
}

/** What the main thread knows of a learner that runs elsewhere. */
export interface LearnerInfo {
  readonly maxLength: number
  readonly vocabSize: number
  readonly resolved: Learner['resolved']
  /** What the operator should know of how the model was read. */
  readonly notes: readonly string[]
  /** Where it computes, by place. */
  readonly places: readonly PlaceUse[]
}

/** Learning state, as a checkpoint takes it. */
export interface LearnerSnapshot {
  readonly step: number
  /** δ after the step. */
  readonly delta: number
  readonly adapter: Adapter
  readonly state: ReadonlyMap<string, StateTensor>
}

/** What the engine holds on its device. */
export interface DeviceUse {
  /** Tensors that the binding holds. */
  readonly tensors: number
  /** On a CPU the resident memory of the process; null for a GPU, which does not tell. */
  readonly memoryBytes: number | null
  /** By place, the first first. */
  readonly places: readonly PlaceUse[]
}

/** The calls that a worker answers, one at a time. */
export interface LearnerCalls {
  trainStep(events: readonly TrainingEvent[]): StepOutcome & { readonly durationMs: number }
  generate(prompts: readonly (readonly number[])[], options: SamplingOptions): readonly (readonly number[])[]
  snapshot(): LearnerSnapshot
  restore(snapshot: Pick<LearnerSnapshot, 'adapter' | 'state'>): { readonly classifierKept: boolean }
  /** `Learner.resume` */
  resume(
    snapshot: Pick<LearnerSnapshot, 'adapter' | 'state'>,
    at: number,
  ): { readonly classifierKept: boolean; readonly delta: number; readonly adapterSha256: string }
  device(): DeviceUse
  /** `Learner.reopen`; what is used then, by place. */
  reopen(workers: readonly string[]): readonly PlaceUse[]
  logpsUnder(adapter: Adapter | null, pairs: readonly TokenPair[]): readonly (number | null)[]
  divergences(adapter: Adapter, other: Adapter | null, pairs: readonly TokenPair[]): readonly (number | null)[]
  answersUnder(
    adapter: Adapter | null,
    prompts: readonly (readonly number[])[],
    options: SamplingOptions,
  ): readonly (readonly number[])[]
  weightNorms(modules: readonly string[]): readonly number[]
}

export type CallName = keyof LearnerCalls

export interface Call {
  readonly id: number
  readonly name: CallName
  readonly args: readonly unknown[]
}

/** Asks the worker to close its session and end, once it has answered what came before. */
export const CLOSE_MESSAGE = 'close'

export type WorkerMessage =
  | { readonly kind: 'ready'; readonly info: LearnerInfo }
  | { readonly kind: 'compiled'; readonly program: string; readonly ms: number }
  | { readonly kind: 'dropped'; readonly place: number; readonly reason: SerializedError }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'failure'; readonly id: number | null; readonly error: SerializedError }
