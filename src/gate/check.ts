import type { CheckResult } from '../adapters/versions/gate-report.js'
import type { Adapter } from '../adapters/weights/adapter.js'
import type { TokenPair } from '../text/tokenise-pairs.js'

/** A version that a check looks at. */
export interface GateVersion {
  /** Such as `v00001234`. */
  readonly version: string
  /** Where its files are. */
  readonly directory: string
  readonly adapter: Adapter
  /** Reward shift δ after its step. */
  readonly delta: number
}

/** Under which adapter something is computed; `base` is the model without one, `reference` what rewards are measured from. */
export type Side = 'candidate' | 'live' | 'base' | 'reference'

/**
 * Computes under each of the sides. Calls are cut into pieces of at most one training step's length, so that steps
 * go on between them; nothing that is learnt moves.
 */
export interface GateModel {
  /**
   * log π(y|x) of each pair, summed over the completion's tokens, in nats. NaN or infinite where the model says so; null
   * for a pair that is too long for the device's memory.
   */
  logps(side: Side, pairs: readonly TokenPair[]): Promise<readonly (number | null)[]>
  /** KL(π_candidate ‖ π_other) of each pair, summed over the positions of the completion, in nats; null as above. */
  divergences(other: 'live' | 'base', pairs: readonly TokenPair[]): Promise<readonly (number | null)[]>
  /** Answers by the likeliest token each time; token ids, the end token included. */
  answers(
    side: Side,
    prompts: readonly (readonly number[])[],
    maxTokens: number,
  ): Promise<readonly (readonly number[])[]>
  /** ‖W‖ (Frobenius) of the base's weights of modules such as `model.layers.0.self_attn.q_proj`, in their order. */
  weightNorms(modules: readonly string[]): Promise<readonly number[]>
}

/** What the checks of one gate look at. */
export interface GateSubject {
  readonly candidate: GateVersion
  /** The version that users have now; null before the first. */
  readonly live: GateVersion | null
  readonly model: GateModel
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/** What a check found. A figure that does not exist is null. */
export interface Finding extends Omit<CheckResult, 'name'> {
  readonly outcome: Exclude<CheckResult['outcome'], 'error'>
}

/** A question that a candidate must pass. */
export interface Check {
  /** Such as `finite` or `probe:flattery`. */
  readonly name: string
  /** @throws BcodError if it cannot be answered; the gate then refuses */
  run(subject: GateSubject): Promise<Finding>
}

/** A finding with what it does not have left null. */
export const finding = (found: Pick<Finding, 'outcome'> & Partial<Finding>): Finding => ({
  ...{ value: null, low: null, high: null, bound: null, reference: null, detail: null },
  ...found,
})

/** What a finding says of pairs that the device has no memory for. */
export const leftOut = (count: number): string =>
  count === 0 ? '' : `, ${count} left out: too long for the device's memory`
