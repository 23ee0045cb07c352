import { aucOf } from '../gate/auc.js'
import { studentQuantile } from '../gate/interval.js'
import { type Sample, twoClassInterval } from '../gate/two-class-interval.js'
import { ClusteredRate } from '../uplift/clustered-rate.js'
import type { JudgedVote, Predictor } from './judged-vote.js'

/** A figure with its 95 % interval; without ends if there are too few clusters for one. */
export interface Estimate {
  readonly value: number
  readonly low: number | null
  readonly high: number | null
}

/** The part of a vote that a figure needs. */
type Scored = Pick<JudgedVote, 'label' | 'weight' | 'cluster'>

/**
 * AUC of a predictor with DeLong's interval for clustered votes (`twoClassInterval`), never narrower than that of Hanley
 * and McNeil (Radiology 143, 1982) with one vote of each kind added: a few votes that are all in order prove little.
 *
 * @returns null without votes of both labels
 */
export function separation(votes: readonly JudgedVote[], predictor: Predictor): Estimate | null {
  const parts = components(votes, ({ scores }) => scores[predictor])
  if (parts === null) return null
  const { auc: value, ups, downs } = parts
  const clusters = clustersOf(votes)
  if (Math.min(...clusters) < 2) return { value, low: null, high: null }
  const measured = twoClassInterval(value, ups, downs)
  const least = studentQuantile(Math.min(...clusters) - 1) * Math.sqrt(leastVariance(value, ups.length, downs.length))
  const half = Math.max(measured.high - value, least)
  return { value, low: Math.max(0, value - half), high: Math.min(1, value + half) }
}

/**
 * How much larger the AUC of the model is than that of a baseline, on the same votes. A baseline that says the same of
 * all has ½ for certain: the interval is that of the model's AUC then.
 */
export function gainOver(votes: readonly JudgedVote[], baseline: Predictor): Estimate | null {
  if (new Set(votes.map(({ scores }) => scores[baseline])).size === 1) return lessHalf(separation(votes, 'model'))
  const [model, other] = [
    components(votes, ({ scores }) => scores.model),
    components(votes, ({ scores }) => scores[baseline]),
  ]
  if (model === null || other === null) return null
  const value = model.auc - other.auc
  if (Math.min(...clustersOf(votes)) < 2) return { value, low: null, high: null }
  const less = (of: 'ups' | 'downs') =>
    model[of].map((each, i) => ({ ...each, value: each.value - (other[of][i] as Sample).value }))
  return twoClassInterval(value, less('ups'), less('downs'))
}

function lessHalf(estimate: Estimate | null): Estimate | null {
  if (estimate === null) return null
  const { value, low, high } = estimate
  return { value: value - 0.5, low: low === null ? null : low - 0.5, high: high === null ? null : high - 0.5 }
}

/** As many votes are in a stratum of like lengths. */
const STRATUM = 20

/**
 * AUC of the model among answers of like length: votes are sorted by length and cut into strata of about 20, of equal
 * lengths where there are that many, and only votes of one stratum are compared. Pairs weigh the same.
 *
 * @returns null if no stratum has both labels
 */
export function lengthMatched(votes: readonly JudgedVote[]): Estimate | null {
  const [ups, downs]: [Sample[], Sample[]] = [[], []]
  for (const stratum of strata(votes)) {
    const parts = components(stratum, ({ scores }) => scores.model)
    if (parts === null) continue
    const [ofUps, ofDowns] = [total(parts.ups), total(parts.downs)]
    ups.push(...parts.ups.map((each) => ({ ...each, weight: each.weight * ofDowns })))
    downs.push(...parts.downs.map((each) => ({ ...each, weight: each.weight * ofUps })))
  }
  if (ups.length === 0) return null
  const value = ups.reduce((sum, each) => sum + each.weight * each.value, 0) / total(ups)
  const clusters = [ups, downs].map((some) => new Set(some.map(({ cluster }) => cluster)).size)
  if (Math.min(...clusters) < 2) return { value, low: null, high: null }
  const { low, high } = twoClassInterval(value, ups, downs)
  return { value, low: Math.max(0, low), high: Math.min(1, high) }
}

/** Share of votes whose label was predicted right, with clusters as in `ClusteredRate`. */
export function accuracy(votes: readonly JudgedVote[], predictor: Predictor): Estimate | null {
  if (votes.length === 0) return null
  const byCluster = new Map<number, { votes: number; ups: number }>()
  for (const { cluster, right } of votes) {
    const { votes: count, ups } = byCluster.get(cluster) ?? { votes: 0, ups: 0 }
    byCluster.set(cluster, { votes: count + 1, ups: ups + right[predictor] })
  }
  const rate = new ClusteredRate()
  for (const each of byCluster.values()) rate.change({ votes: 0, ups: 0 }, each)
  const value = rate.rate as number
  if (rate.variance === null) return { value, low: null, high: null }
  const half = studentQuantile(byCluster.size - 1) * Math.sqrt(rate.variance)
  return { value, low: Math.max(0, value - half), high: Math.min(1, value + half) }
}

/** How many clusters have a thumbs-up, and how many a thumbs-down. */
export const clustersOf = (votes: readonly Scored[]): readonly [number, number] => {
  const of = (wanted: boolean) =>
    new Set(votes.flatMap(({ label, cluster }) => (label === wanted ? [cluster] : []))).size
  return [of(true), of(false)]
}

interface Components {
  readonly auc: number
  readonly ups: readonly Sample[]
  readonly downs: readonly Sample[]
}

function components<V extends Scored>(votes: readonly V[], scoreOf: (vote: V) => number): Components | null {
  const classes = [votes.filter(({ label }) => label), votes.filter(({ label }) => !label)] as const
  if (classes.some((some) => some.length === 0)) return null
  const [ups, downs] = classes.map((some) => some.map((vote) => ({ score: scoreOf(vote), weight: vote.weight })))
  const auc = aucOf(ups as [], downs as [])
  const samples = (some: readonly V[], values: readonly number[]) =>
    some.map(({ weight, cluster }, i) => ({ value: values[i] as number, weight, cluster }))
  return { auc: auc.auc, ups: samples(classes[0], auc.ups), downs: samples(classes[1], auc.downs) }
}

function* strata(votes: readonly JudgedVote[]): Generator<readonly JudgedVote[]> {
  const sorted = [...votes].sort((a, b) => a.length - b.length)
  let stratum: JudgedVote[] = []
  for (const vote of sorted) {
    if (stratum.length >= STRATUM && (stratum.at(-1) as JudgedVote).length !== vote.length) {
      yield stratum
      stratum = []
    }
    stratum.push(vote)
  }
  if (stratum.length > 0) yield stratum
}

const total = (samples: readonly Sample[]): number => samples.reduce((sum, { weight }) => sum + weight, 0)

/** That of Hanley and McNeil, with the AUC drawn to ½ as by one pair of votes in order and one out of order. */
function leastVariance(auc: number, ups: number, downs: number): number {
  const fewer = Math.min(ups, downs)
  return hanleyMcNeil((Math.max(auc, 1 - auc) * fewer + 1) / (fewer + 2), ups, downs)
}

/** Variance of an AUC from 0.5 on by the exponential model. @see Hanley and McNeil, Radiology 143, 1982 */
export function hanleyMcNeil(a: number, ups: number, downs: number): number {
  const [q1, q2] = [a / (2 - a), (2 * a * a) / (1 + a)]
  return (a * (1 - a) + (ups - 1) * (q1 - a * a) + (downs - 1) * (q2 - a * a)) / (ups * downs)
}
