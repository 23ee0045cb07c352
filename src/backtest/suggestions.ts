import type { Config } from '../config/config.js'
import type { Evidence } from './evidence.js'
import type { JudgedVote } from './judged-vote.js'
import type { ProbeResult } from './probes.js'
import { percent } from './words.js'

/** What to set, or to send, for a next run. */
export interface Suggestion {
  /** The key of the configuration; null for what no key can change. */
  readonly key: string | null
  readonly value: string | null
  readonly why: string
}

export interface SuggestionParts {
  readonly votes: readonly JudgedVote[]
  readonly found: Pick<Evidence, 'explained_by' | 'users' | 'up_share'>
  readonly read: {
    readonly events: number
    readonly dropped_by_reason: Readonly<Record<string, number>>
    readonly shortened: number
  }
  readonly probes: readonly ProbeResult[]
  /** Of this run. */
  readonly config: Pick<Config, 'limits' | 'optimizer'>
}

/** A share of votes that is worth a word. */
const MANY = 0.05
/** A share of one user or one prompt above it steers what is learnt. */
const STEERING = 0.1

/** What to change, the weightiest first. */
export function suggestions({ votes, found, read, probes, config }: SuggestionParts): readonly Suggestion[] {
  const set = (when: boolean, key: string, value: string, why: string) => (when ? [{ key, value, why }] : [])
  const say = (when: boolean, why: string) => (when ? [{ key: null, value: null, why }] : [])
  const cut = (read.shortened + (read.dropped_by_reason.completion_too_long ?? 0)) / Math.max(1, read.events)
  const user = largestShare(votes, (vote) => vote.user)
  const prompt = largestShare(votes, (vote) => vote.prompt)
  const isRare = Math.min(found.up_share, 1 - found.up_share) < 0.1
  return [
    ...say(
      found.explained_by.includes('length'),
      'The length of the answers explains the votes: look at what people miss in short or long ones before you train.',
    ),
    ...set(
      probes.some(({ outcome }) => outcome === 'refused'),
      ...([
        'optimizer.lr',
        `${config.optimizer.lr / 2}`,
        'the gate would refuse what was learnt: a probe fell too far',
      ] as const),
    ),
    ...say(
      found.users === 0,
      'No vote names its user: send data.user, so that no single one can steer what is learnt.',
    ),
    ...set(user > STEERING, 'limits.userShare', `${STEERING}`, `one user gave ${percent(user)} of the votes`),
    ...set(prompt > STEERING, 'limits.promptRepeats', `${FEW}`, `${percent(prompt)} of the votes are on one prompt`),
    ...set(
      cut > MANY,
      ...([
        'limits.maxLength',
        `${2 * config.limits.maxLength}`,
        `${percent(cut)} of the votes were cut or too long`,
      ] as const),
    ),
    ...say(isRare, 'One label is rare: its votes decide how soon it helps.'),
    ...set(true, 'eval.holdOut', '0.1', 'keeps votes by which the gate compares each version with the one before'),
  ]
}

/** As many votes of one user or on one prompt are no mass, whatever their share. */
const FEW = 8

/** Of the votes that have one value of `of`; 0 if they are few. */
function largestShare(votes: readonly JudgedVote[], of: (vote: JudgedVote) => number | null): number {
  const counts = new Map<number, number>()
  for (const vote of votes) {
    const key = of(vote)
    if (key !== null) counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  const largest = Math.max(0, ...counts.values())
  return largest > FEW ? largest / votes.length : 0
}
