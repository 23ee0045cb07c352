import { type Explanations, explanations, isBetter } from './influence.js'
import { BASELINES, type Baseline, type JudgedVote } from './judged-vote.js'
import { accuracy, clustersOf, type Estimate, gainOver, separation } from './separation.js'
import { judge, LEAST_CLUSTERS, type Verdict } from './verdict.js'

/** Figures of a group of votes; null for a group of fewer than `LEAST_GROUP`. */
export interface Figures {
  readonly votes: number
  readonly up_share: number
  readonly accuracy: Estimate | null
  readonly auc: Estimate | null
}

/** A block of votes in time order, and what was known at its end. */
export interface Moment extends Figures {
  /** Votes up to its end, its own included. */
  readonly at: number
  /** AUC of the model and of each baseline over all votes up to its end. */
  readonly auc_so_far: Estimate | null
  readonly baselines_so_far: Readonly<Record<Baseline, number | null>>
}

/** Votes of a topic or a user; `line` names one of them. */
export interface Group extends Figures {
  readonly line: number
}

/** Names as `--json` prints them. Figures that need votes of both labels are null without. */
export interface Evidence {
  readonly verdict: Verdict
  /** With `not yet`: about so many more votes. */
  readonly votes_missing: number | null
  /** The baseline that the model gains least on. */
  readonly best_baseline: Baseline | null
  readonly up_share: number
  readonly users: number
  readonly prompts: number
  readonly accuracy: number | null
  readonly accuracy_low: number | null
  readonly accuracy_high: number | null
  readonly auc: number | null
  readonly auc_low: number | null
  readonly auc_high: number | null
  /** Accuracy of each. */
  readonly baselines: Readonly<Record<Baseline, number | null>>
  readonly baselines_auc: Readonly<Record<Baseline, number | null>>
  /** AUC of the model less that of each. */
  readonly gains: Readonly<Record<Baseline, Estimate | null>>
  /** Votes from which on the model is certain to be better than every baseline; null if it is not at the end. */
  readonly votes_to_help: number | null
  readonly explained_by: Explanations['explainedBy']
  readonly without_user: Explanations['user']
  readonly without_prompt: Explanations['prompt']
  readonly auc_length_matched: Estimate | null
  readonly over_time: readonly Moment[]
  readonly by_topic: readonly Group[]
  readonly by_user: readonly Group[]
}

/** The topic of each vote, −1 for none, and of each topic the index of its most typical vote. */
interface Topics {
  readonly of: readonly number[]
  readonly typical: readonly number[]
}

/** Blocks of time, and users that are shown. */
const BLOCKS = 20
const SHOWN_USERS = 10
/** Shares and orders of fewer votes than this say nothing. */
export const LEAST_GROUP = 10

/** All figures of a backtest's votes, in time order. */
export function evidence(votes: readonly JudgedVote[], topics: Topics): Evidence {
  const gains = byBaseline((baseline) => gainOver(votes, baseline))
  const parts = { votes: votes.length, upShare: upShare(votes), clusters: clustersOf(votes), gains }
  const { verdict, against, missing } = judge(parts)
  const { user, prompt, lengthMatched, explainedBy } = explanations(votes)
  const [right, auc] = [accuracy(votes, 'model'), separation(votes, 'model')]
  return {
    ...{ verdict, votes_missing: missing, best_baseline: against, up_share: parts.upShare },
    users: new Set(votes.flatMap((vote) => (vote.user === null ? [] : [vote.user]))).size,
    prompts: new Set(votes.map((vote) => vote.prompt)).size,
    ...{ accuracy: figureOf(right), accuracy_low: right?.low ?? null, accuracy_high: right?.high ?? null },
    ...{ auc: figureOf(auc), auc_low: auc?.low ?? null, auc_high: auc?.high ?? null },
    baselines: byBaseline((baseline) => figureOf(accuracy(votes, baseline))),
    baselines_auc: byBaseline((baseline) => figureOf(separation(votes, baseline))),
    ...{ gains, votes_to_help: votesToHelp(votes), explained_by: explainedBy },
    ...{ without_user: user, without_prompt: prompt, auc_length_matched: lengthMatched },
    over_time: overTime(votes),
    by_topic: groups(votes, (_, i) => topics.of[i] as number).map(({ key, ...group }) => ({
      ...{ ...group, line: votes[topics.typical[key] as number]?.line ?? group.line },
    })),
    // within one user's votes, those on one prompt hang together
    by_user: groups(votes.map(byPrompt), ({ user: each }) => each ?? -1)
      .slice(0, SHOWN_USERS)
      .map(({ key: _, ...group }) => group),
  }
}

function figuresOf(votes: readonly JudgedVote[]): Figures {
  const about = { votes: votes.length, up_share: upShare(votes) }
  if (votes.length < LEAST_GROUP) return { ...about, accuracy: null, auc: null }
  return { ...about, accuracy: accuracy(votes, 'model'), auc: separation(votes, 'model') }
}

const byPrompt = (vote: JudgedVote): JudgedVote => ({ ...vote, cluster: vote.prompt })

/** The ends of blocks of equal size, `BLOCKS` at most, of `LEAST_GROUP` votes at least. */
function endsOf(count: number): readonly number[] {
  const blocks = Math.max(1, Math.min(BLOCKS, Math.floor(count / LEAST_GROUP)))
  return Array.from({ length: blocks }, (_, i) => Math.round(((i + 1) * count) / blocks))
}

function overTime(votes: readonly JudgedVote[]): readonly Moment[] {
  return endsOf(votes.length).map((at, i, ends) => {
    const sofar = votes.slice(0, at)
    return {
      ...{ at, ...figuresOf(votes.slice(ends[i - 1] ?? 0, at)), auc_so_far: separation(sofar, 'model') },
      baselines_so_far: byBaseline((baseline) => figureOf(separation(sofar, baseline))),
    }
  })
}

function votesToHelp(votes: readonly JudgedVote[]): number | null {
  let first: number | null = null
  for (const at of [...endsOf(votes.length)].reverse()) {
    const sofar = votes.slice(0, at)
    if (Math.min(...clustersOf(sofar)) < LEAST_CLUSTERS || !isBetter(sofar)) break
    first = at
  }
  return first
}

/** Groups of votes, the largest first; those of key −1 are in none. */
function groups(votes: readonly JudgedVote[], keyOf: (vote: JudgedVote, index: number) => number) {
  const of = new Map<number, JudgedVote[]>()
  for (const [i, vote] of votes.entries()) {
    const key = keyOf(vote, i)
    const mine = of.get(key)
    if (mine) mine.push(vote)
    else of.set(key, [vote])
  }
  of.delete(-1)
  return [...of]
    .map(([key, mine]) => ({ key, line: (mine[0] as JudgedVote).line, ...figuresOf(mine) }))
    .sort((a, b) => b.votes - a.votes)
}

const byBaseline = <T>(figure: (baseline: Baseline) => T): Readonly<Record<Baseline, T>> =>
  Object.fromEntries(BASELINES.map((baseline) => [baseline, figure(baseline)])) as Record<Baseline, T>

const upShare = (votes: readonly JudgedVote[]): number =>
  votes.length === 0 ? 0 : votes.filter(({ label }) => label).length / votes.length

const figureOf = (estimate: Estimate | null): number | null => estimate?.value ?? null
