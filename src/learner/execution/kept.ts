import type { JsonValue } from '../../checkpoint/json.js'
import type { LearnerConfig } from '../config.js'
import type { Learner } from '../learner.js'

/** The settings that a lineage keeps as it began with them, whatever the configuration says later. */
export type KeptExecution = Pick<
  LearnerConfig['model'],
  'executor' | 'kernels' | 'threads' | 'interOpThreads' | 'measure'
> &
  Partial<Pick<LearnerConfig['model'], 'tf32' | 'stages'>>

/**
 * How the programs of a lineage are run. Older lineages do not say whose kernels and how many threads between operations:
 * they had what the rule gives. Those that no GPU made have no `tf32`.
 *
 * @param resolved  `Learner.resolved`, as a checkpoint or the journal has it
 */
export function keptExecution(resolved: JsonValue): KeptExecution {
  const made = resolved as Pick<Learner['resolved'], 'executor' | 'threads'> & Partial<Learner['resolved']>
  const { executor, threads, kernels = 'auto', interOpThreads = 0, tf32, stages = 1 } = made
  return {
    ...{ executor, kernels, threads, interOpThreads, measure: false },
    ...(tf32 === undefined ? {} : { tf32 }),
    // the graph executor computes the same bits in any number of stages
    ...(executor === 'xla' ? { stages } : {}),
  }
}
