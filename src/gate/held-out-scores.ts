import type { HeldOutVote } from '../events/types.js'
import { aucOf } from './auc.js'
import type { Interval } from './interval.js'
import { type Sample, twoClassInterval } from './two-class-interval.js'

/** A held-out vote with the implicit rewards of its completion under the two versions that are compared. */
export interface ScoredVote extends Pick<HeldOutVote, 'label' | 'weight' | 'conversation'> {
  readonly candidate: number
  readonly live: number
}

/** A figure of both versions, and the candidate's less the live one's with its 95 % interval. */
export interface Comparison {
  readonly candidate: number
  readonly live: number
  readonly difference: Interval
}

/**
 * AUC of the reward between thumbs-up and thumbs-down, by event weight. Both versions score the same votes, so that the
 * interval is that of paired votes, with conversations as clusters (`twoClassInterval`).
 *
 * @param votes  of two conversations of each label at least, with weights above 0
 */
export function compareAuc(votes: readonly ScoredVote[]): Comparison {
  const [ups, downs] = [votes.filter(({ label }) => label), votes.filter(({ label }) => !label)]
  const aucBy = (version: 'candidate' | 'live') => {
    const scored = (some: readonly ScoredVote[]) => some.map((vote) => ({ score: vote[version], weight: vote.weight }))
    return aucOf(scored(ups), scored(downs))
  }
  const [candidate, live] = [aucBy('candidate'), aucBy('live')]
  const gains = (some: readonly ScoredVote[], of: 'ups' | 'downs') =>
    some.map((vote, i) => sample(vote, (candidate[of][i] as number) - (live[of][i] as number)))
  const difference = twoClassInterval(candidate.auc - live.auc, gains(ups, 'ups'), gains(downs, 'downs'))
  return { candidate: candidate.auc, live: live.auc, difference }
}

/**
 * L_BCO with w = 1 (arXiv 2404.04656), by event weight: mean of −log σ(r − δ) over the ups, plus mean of −log σ(δ − r) over
 * the downs, in nats, each version with the δ after its step. Paired and clustered as the AUC.
 *
 * @param votes  of two conversations of each label at least, with weights above 0
 */
export function compareLoss(
  votes: readonly ScoredVote[],
  deltas: Readonly<Record<'candidate' | 'live', number>>,
): Comparison {
  const lossOf = (vote: ScoredVote, version: 'candidate' | 'live') => {
    const margin = vote[version] - deltas[version]
    return softplus(vote.label ? -margin : margin)
  }
  const classes = [votes.filter(({ label }) => label), votes.filter(({ label }) => !label)] as const
  const [ups, downs] = classes.map((some) =>
    some.map((vote) => sample(vote, lossOf(vote, 'candidate') - lossOf(vote, 'live'))),
  ) as [Sample[], Sample[]]
  const balanced = (version: 'candidate' | 'live') =>
    classes.reduce((sum, some) => sum + weightedMean(some.map((vote) => sample(vote, lossOf(vote, version)))), 0)
  const difference = twoClassInterval(weightedMean(ups) + weightedMean(downs), ups, downs)
  return { candidate: balanced('candidate'), live: balanced('live'), difference }
}

const sample = ({ weight, conversation }: ScoredVote, value: number): Sample => ({
  ...{ value, weight, cluster: conversation },
})

function weightedMean(samples: readonly Sample[]): number {
  const total = samples.reduce((sum, { weight }) => sum + weight, 0)
  return samples.reduce((sum, { value, weight }) => sum + weight * value, 0) / total
}

/** log(1 + eᶻ), without overflow. */
const softplus = (z: number): number => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z)))
