import { readFileSync } from 'node:fs'

export interface GoldenBatch {
  readonly policy_chosen: number[]
  readonly policy_rejected: number[]
  readonly ref_chosen: number[]
  readonly ref_rejected: number[]
  readonly losses: number[]
  readonly chosen_rewards: number[]
  readonly rejected_rewards: number[]
  readonly rejected_weight: number[] | null
  readonly delta: number
  readonly loss_nanmean: number
  readonly grad_policy_chosen: number[]
  readonly grad_policy_rejected: number[]
  readonly running_after: { readonly mean: number; readonly count: number }
}

export interface GoldenCase {
  readonly name: string
  readonly dtype: string
  readonly beta: number
  readonly batches: GoldenBatch[]
  readonly eval_last_batch_do_train_False: { readonly losses: number[]; readonly delta: number }
}

/** What TRL's own `bco_loss` gave on sequences of batches; ups first, then downs. */
export const goldenCases: readonly GoldenCase[] = JSON.parse(
  readFileSync(new URL('../golden/bco_loss.json', import.meta.url), 'utf8'),
).cases

export const policyOf = (batch: GoldenBatch): number[] => [...batch.policy_chosen, ...batch.policy_rejected]
export const referenceOf = (batch: GoldenBatch): number[] => [...batch.ref_chosen, ...batch.ref_rejected]
export const rewardsOf = (batch: GoldenBatch): number[] => [...batch.chosen_rewards, ...batch.rejected_rewards]
export const labelsOf = (batch: GoldenBatch): boolean[] => [
  ...batch.policy_chosen.map(() => true),
  ...batch.policy_rejected.map(() => false),
]
