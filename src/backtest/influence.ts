import { BASELINES, type JudgedVote } from './judged-vote.js'
import { type Estimate, gainOver, lengthMatched, separation } from './separation.js'

/** What the figures are without the votes of one user, or on one prompt. */
export interface LeftOut {
  /** A line of the file with such a vote. */
  readonly line: number
  readonly votes: number
  /** AUC of the model without them; null if one label is all that is left. */
  readonly auc: number | null
  /** Whether the model is certain to be better than every baseline without them. */
  readonly better: boolean
}

/** What might explain that the model sorts votes well. */
export interface Explanations {
  /** The user, and the prompt, without which least is left; null if there are no users, or one alone. */
  readonly user: LeftOut | null
  readonly prompt: LeftOut | null
  /** AUC among answers of like length; null if like lengths have like labels. */
  readonly lengthMatched: Estimate | null
  /** Which of them explain it: without it nothing is certain any more. */
  readonly explainedBy: readonly ('one user' | 'one prompt' | 'length')[]
}

/** So many users and prompts, those with most votes, are left out, each alone. */
const TRIED = 20

export function explanations(votes: readonly JudgedVote[]): Explanations {
  const better = isBetter(votes)
  const user = worstWithout(votes, ({ user }) => user)
  const prompt = worstWithout(votes, ({ prompt }) => prompt)
  const matched = lengthMatched(votes)
  const sorts = (separation(votes, 'model')?.low ?? 0) > 0.5
  const lengthExplains =
    sorts && (matched === null || (matched.low ?? 0) <= 0.5) && (gainOver(votes, 'length')?.low ?? 0) <= 0
  return {
    ...{ user, prompt, lengthMatched: matched },
    explainedBy: [
      ...(better && user !== null && !user.better ? (['one user'] as const) : []),
      ...(better && prompt !== null && !prompt.better ? (['one prompt'] as const) : []),
      ...(lengthExplains ? (['length'] as const) : []),
    ],
  }
}

/** Whether the model is certain to sort these votes better than every baseline. */
export const isBetter = (votes: readonly JudgedVote[]): boolean =>
  BASELINES.every((baseline) => (gainOver(votes, baseline)?.low ?? 0) > 0)

function worstWithout(votes: readonly JudgedVote[], of: (vote: JudgedVote) => number | null): LeftOut | null {
  const counts = new Map<number, number>()
  for (const vote of votes) {
    const key = of(vote)
    if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  if (counts.size < 2) return null
  const largest = [...counts].sort(([, a], [, b]) => b - a).slice(0, TRIED)
  const tried = largest.map(([key, count]) => {
    const rest = votes.filter((vote) => of(vote) !== key)
    const { line } = votes.find((vote) => of(vote) === key) as JudgedVote
    return { line, votes: count, auc: separation(rest, 'model')?.value ?? null, better: isBetter(rest) }
  })
  return tried.reduce((worst, each) => ((each.auc ?? 0) < (worst.auc ?? 0) ? each : worst))
}
