import { writeSync } from 'node:fs'
import { BcodError } from '../../errors.js'
import type { Learner } from '../../learner/learner.js'
import type { TokenisedPair } from '../../text/tokenise-pairs.js'

export interface EvaluateOptions {
  readonly beta: number
  /** null leaves out the binary accuracy. */
  readonly delta: number | null
  /** File that takes a line for each pair; null for none. */
  readonly rows: number | null
}

/** Means are null if there was no pair. */
export interface EvalSummary {
  readonly pairs: number
  /** Share of pairs with a positive margin, ties ½. */
  readonly accuracy: number | null
  readonly margin_mean: number | null
  /** Share of single answers on their side of δ, ties ½; null without δ. */
  readonly binary_accuracy: number | null
  /** Pairs left out because an answer is longer than the model takes. */
  readonly skipped: number
  /** Pairs with a log-probability that is NaN or infinite; they count nowhere else. */
  readonly non_finite: number
}

/** A line of `--rows`: log-probabilities summed over the answer, in nats. */
export interface PairRow {
  readonly line: number
  readonly chosen_policy_logp: number
  readonly chosen_reference_logp: number
  readonly rejected_policy_logp: number
  readonly rejected_reference_logp: number
  /** β ((chosen policy − reference) − (rejected policy − reference)). */
  readonly margin: number
}

/** Pairs that are scored together: enough to fill blocks with answers of like length. */
const CHUNK = 512

export async function evaluate(
  learner: Pick<Learner, 'score'>,
  pairs: AsyncIterable<TokenisedPair | null>,
  { beta, delta, rows }: EvaluateOptions,
): Promise<EvalSummary> {
  const sums = { pairs: 0, right: 0, margin: 0, onTheirSide: 0, skipped: 0, nonFinite: 0 }
  let waiting: TokenisedPair[] = []
  const flush = () => {
    for (const row of scorePairs(learner, waiting, beta)) {
      if (rows !== null) writeSync(rows, `${JSON.stringify(row)}\n`)
      if (!Number.isFinite(row.margin)) {
        sums.nonFinite += 1
        continue
      }
      const chosen = beta * (row.chosen_policy_logp - row.chosen_reference_logp)
      const rejected = beta * (row.rejected_policy_logp - row.rejected_reference_logp)
      sums.pairs += 1
      sums.right += share(row.margin)
      sums.margin += row.margin
      sums.onTheirSide += (share(chosen - (delta ?? 0)) + share((delta ?? 0) - rejected)) / 2
    }
    waiting = []
  }
  for await (const pair of pairs) {
    if (pair === null) sums.skipped += 1
    else waiting.push(pair)
    if (waiting.length === CHUNK) flush()
  }
  flush()
  if (sums.pairs === 0 && sums.nonFinite > 0)
    throw new BcodError('MODEL_NONFINITE', `no pair of ${sums.nonFinite} has a finite margin`, {
      remedy: 'The reference is finite: look for NaN in the adapter.',
    })
  const mean = (sum: number) => (sums.pairs === 0 ? null : sum / sums.pairs)
  return {
    pairs: sums.pairs,
    accuracy: mean(sums.right),
    margin_mean: mean(sums.margin),
    binary_accuracy: delta === null ? null : mean(sums.onTheirSide),
    skipped: sums.skipped,
    non_finite: sums.nonFinite,
  }
}

function scorePairs(learner: Pick<Learner, 'score'>, pairs: readonly TokenisedPair[], beta: number): PairRow[] {
  const { policy, reference } = learner.score(pairs.flatMap(({ chosen, rejected }) => [chosen, rejected]))
  const at = (values: readonly number[], index: number) => values[index] as number
  return pairs.map(({ line }, i) => {
    const [chosen, rejected] = [2 * i, 2 * i + 1]
    const row = {
      line,
      chosen_policy_logp: at(policy, chosen),
      chosen_reference_logp: at(reference, chosen),
      rejected_policy_logp: at(policy, rejected),
      rejected_reference_logp: at(reference, rejected),
    }
    const { chosen_policy_logp, chosen_reference_logp, rejected_policy_logp, rejected_reference_logp } = row
    const logRatios = chosen_policy_logp - chosen_reference_logp - (rejected_policy_logp - rejected_reference_logp)
    return { ...row, margin: beta * logRatios }
  })
}

/** 1 above 0, ½ on it. */
const share = (value: number): number => (value > 0 ? 1 : value === 0 ? 0.5 : 0)
