import { availableParallelism } from 'node:os'
import type { TrainingEvent } from '../../events/types.js'
import { median } from '../../learner/execution/median.js'
import type { Learner } from '../../learner/learner.js'
import type { ConfigWithModel } from '../learner-config.js'
import { benchEvents, WARM_UP } from './events.js'
import type { WorkloadName } from './workloads.js'

export interface Measured {
  readonly steps: number
  readonly events: number
  /** Trained, without padding. */
  readonly tokens: number
  readonly seconds: number
  readonly steps_per_s: number
  readonly tokens_per_s: number
  readonly step_ms: { readonly median: number; readonly min: number; readonly max: number }
  /** CPU time of the process over wall time and cores: well below 1 where something else ran beside it. */
  readonly cpu_share: number
}

/**
 * Trains on events of real lengths and random tokens. Every block shape that they need is compiled before the clock
 * starts.
 *
 * @param says  told what begins: with a large model each step takes a minute
 */
export function measure(
  learner: Learner,
  { batch }: ConfigWithModel,
  { workload, steps }: { readonly workload: WorkloadName; readonly steps: number },
  says: (text: string) => void,
): Measured {
  const events = benchEvents(workload, (WARM_UP + steps) * batch.size, learner.vocabSize)
  const batches = Array.from({ length: WARM_UP + steps }, (_, i) => events.slice(i * batch.size, (i + 1) * batch.size))
  const used = new Map(
    batches.flatMap((each) =>
      learner.plan(each).map(({ shape, events: own }) => [shape, own.map((i) => each[i]!)] as const),
    ),
  )
  let block = 0
  for (const own of used.values()) {
    says(`compiling, block shape ${++block} of ${used.size}`)
    learner.trainStep(own)
  }
  for (const [i, each] of batches.slice(0, WARM_UP).entries()) {
    says(`step ${i + 1} of ${WARM_UP} that do not count`)
    learner.trainStep(each)
  }

  const times: number[] = []
  const measured = batches.slice(WARM_UP)
  const [cpu, begin] = [process.cpuUsage(), performance.now()]
  for (const [i, each] of measured.entries()) {
    says(`step ${i + 1} of ${steps}`)
    const started = performance.now()
    learner.trainStep(each)
    times.push(performance.now() - started)
  }
  const { user, system } = process.cpuUsage(cpu)
  const cpuShare = (user + system) / 1000 / (performance.now() - begin) / availableParallelism()
  const seconds = times.reduce((sum, time) => sum + time, 0) / 1000
  const tokens = measured.flat().reduce((sum, event) => sum + tokensOf(event), 0)
  return {
    steps,
    events: steps * batch.size,
    tokens,
    seconds,
    steps_per_s: steps / seconds,
    tokens_per_s: tokens / seconds,
    step_ms: { median: median(times), min: Math.min(...times), max: Math.max(...times) },
    cpu_share: cpuShare,
  }
}

const tokensOf = ({ promptTokens, completionTokens }: TrainingEvent) => promptTokens.length + completionTokens.length
