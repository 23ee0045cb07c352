import { availableParallelism, cpus } from 'node:os'

/** What it takes on this machine. */
export interface Cost {
  /** Of a training step, over its votes; the first step, which compiles, left out if there are more. */
  readonly seconds_per_vote: number | null
  /** How many that would be in a day of nothing else. */
  readonly votes_per_day: number | null
  /** The largest resident memory of the process, in bytes. */
  readonly peak_memory_bytes: number
  /** Of the whole backtest, loading the model left out. */
  readonly seconds: number
  /** Cores, processor, and the type of the model's numbers. */
  readonly machine: string
}

export interface TimedStep {
  readonly votes: number
  readonly seconds: number
}

/**
 * @param seconds  that it took
 * @param dtype  `model.dtype`
 */
export function costOf(steps: readonly TimedStep[], seconds: number, dtype: string): Cost {
  const warm = steps.length > 1 ? steps.slice(1) : steps
  const sum = (of: keyof TimedStep) => warm.reduce((total, step) => total + step[of], 0)
  const each = warm.length === 0 ? null : sum('seconds') / sum('votes')
  return {
    seconds_per_vote: each,
    votes_per_day: each === null ? null : Math.floor(86_400 / each),
    peak_memory_bytes: process.resourceUsage().maxRSS * 1024,
    seconds,
    machine: `${availableParallelism()} cores of ${cpus()[0]?.model.trim() ?? 'an unknown processor'}, ${dtype}`,
  }
}
