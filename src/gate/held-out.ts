import type { HeldOutVote } from '../events/types.js'
import { type Check, type Finding, finding, type GateSubject, leftOut } from './check.js'
import { type Comparison, compareAuc, compareLoss, type ScoredVote } from './held-out-scores.js'

export interface HeldOutOptions {
  /** What is kept of the held-out votes now. */
  readonly votes: () => Promise<readonly HeldOutVote[]>
  /** `bco.beta`, the scale of the reward. */
  readonly beta: number
  /** `gate.holdOutMin`: below so many conversations with a vote of each label there is no figure; 2 at least. */
  readonly minimum: number
  /** `gate.holdOutRequired`: having no figure refuses a candidate. */
  readonly required: boolean
  /** `gate.tolerance`: how much worse than the live version a candidate may be. */
  readonly tolerance: number
}

/** Held-out votes that both versions have scored. */
interface Scores {
  readonly votes: readonly ScoredVote[]
  /** How many more were too long for the device's memory. */
  readonly tooLong: number
}

/** The scores, or why there is no figure. */
type Scored = Scores | { readonly found: Finding }

/**
 * `holdout_loss` and `holdout_auc`: whether the candidate tells thumbs-up from thumbs-down no worse than the live version,
 * or than the base if none is live, on votes that neither has trained on. The value is the candidate's figure less the
 * live version's. A candidate is refused if the value is worse than the tolerance, and the 95 % interval lies on the worse
 * side of 0: one that is no worse is refused 2.5 times in a hundred at most, however few votes there are.
 */
export function heldOutChecks(options: HeldOutOptions): readonly Check[] {
  const { tolerance } = options
  const known = new WeakMap<GateSubject, Promise<Scored>>()
  const check = (name: string, judge: (scored: Scores, subject: GateSubject) => Finding): Check => ({
    name,
    async run(subject) {
      const scored = known.get(subject) ?? scoreVotes(subject, options)
      known.set(subject, scored)
      const ready = await scored
      return 'found' in ready ? ready.found : { ...judge(ready, subject), reference: referenceOf(subject) }
    },
  })
  return [
    check('holdout_loss', (scored, { candidate, live }) => {
      const deltas = { candidate: candidate.delta, live: live?.delta ?? 0 }
      const loss = compareLoss(scored.votes, deltas)
      const { value, low } = loss.difference
      const about = `loss ${figures(loss)}, δ ${figures(deltas)}`
      return verdict(scored, loss, { about, bound: tolerance, isWorse: value > tolerance, isCertain: low > 0 })
    }),
    check('holdout_auc', (scored) => {
      const auc = compareAuc(scored.votes)
      const { value, high } = auc.difference
      const about = `AUC ${figures(auc)}`
      return verdict(scored, auc, { about, bound: -tolerance, isWorse: value < -tolerance, isCertain: high < 0 })
    }),
  ]
}

interface Verdict extends Pick<Finding, 'bound'> {
  readonly about: string
  /** Worse than the bound. */
  readonly isWorse: boolean
  /** The interval lies on the worse side of 0. */
  readonly isCertain: boolean
}

function verdict(
  { votes, tooLong }: Scores,
  { difference }: Comparison,
  { about, bound, isWorse, isCertain }: Verdict,
): Finding {
  const unsure = isWorse && !isCertain ? '; worse than the bound, but 0 is within the interval' : ''
  const detail = `${about}; ${countOf(votes)}${leftOut(tooLong)}${unsure}`
  return finding({ outcome: isWorse && isCertain ? 'refused' : 'passed', ...difference, bound, detail })
}

/** Scores the votes that can count: not those without a weight, nor those that the reference or the memory cannot score. */
async function scoreVotes(subject: GateSubject, { votes, beta, minimum, required }: HeldOutOptions): Promise<Scored> {
  const { model, live } = subject
  const reference = referenceOf(subject)
  const tooFew = (some: Counted, tooLong = 0): Scored | null => {
    if (Math.min(...conversationsOf(some)) >= minimum) return null
    const detail = `not enough votes: ${countOf(some)}${leftOut(tooLong)}; ${minimum} conversations of each label are needed`
    return { found: finding({ outcome: required ? 'refused' : 'skipped', reference, detail }) }
  }
  const kept = (await votes()).filter(({ weight }) => weight > 0)
  const few = tooFew(kept)
  if (few) return few
  const ofReference = await model.logps('reference', kept)
  const ofLive = await model.logps(live === null ? 'base' : 'live', kept)
  const ofCandidate = await model.logps('candidate', kept)
  const all = [ofReference, ofLive, ofCandidate]
  const scored = kept.flatMap(({ label, weight, conversation }, i) => {
    if (all.some((logps) => logps[i] === null)) return []
    const reward = (logps: readonly (number | null)[]) => beta * ((logps[i] as number) - (ofReference[i] as number))
    return [{ label, weight, conversation, candidate: reward(ofCandidate), live: reward(ofLive) }]
  })
  const tooLong = kept.length - scored.length
  const usable = scored.filter((vote) => Number.isFinite(vote.live))
  const spoilt = usable.filter(({ candidate }) => !Number.isFinite(candidate)).length
  const detail = `the candidate gives ${spoilt} of ${usable.length} votes no probability`
  if (spoilt > 0) return { found: finding({ outcome: 'refused', reference, detail }) }
  return tooFew(usable, tooLong) ?? { votes: usable, tooLong }
}

const referenceOf = ({ live }: GateSubject): string => live?.version ?? 'base'

const figures = ({ candidate, live }: { readonly candidate: number; readonly live: number }): string =>
  `${candidate.toFixed(4)} against ${live.toFixed(4)}`

type Counted = readonly Pick<HeldOutVote, 'label' | 'conversation'>[]

/** How many conversations have a thumbs-up, and how many a thumbs-down. */
const conversationsOf = (votes: Counted): readonly number[] =>
  [true, false].map((label) => new Set(votes.flatMap((vote) => (vote.label === label ? [vote.conversation] : []))).size)

function countOf(votes: Counted): string {
  const [up, down] = conversationsOf(votes)
  const ups = votes.filter(({ label }) => label).length
  return `${ups} thumbs-up in ${up} conversations, ${votes.length - ups} thumbs-down in ${down}`
}
