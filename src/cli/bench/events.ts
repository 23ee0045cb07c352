import type { TrainingEvent } from '../../events/types.js'
import { type WorkloadName, workloadRows } from './workloads.js'

/** Steps before the measurement that are not counted. */
export const WARM_UP = 3

/** The events of a workload, as the learner takes them. */
export const benchEvents = (workload: WorkloadName, count: number, vocabSize: number): readonly TrainingEvent[] =>
  workloadRows(workload, count, vocabSize).map((row, offset) => ({
    position: { topic: 'bench', partition: 0, offset },
    timestamp: 0,
    source: 'bench',
    id: String(offset),
    subject: null,
    user: null,
    weight: 1,
    ...row,
  }))
