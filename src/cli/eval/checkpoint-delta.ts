import { resolve } from 'node:path'
import type { Snapshot } from '../../checkpoint/snapshot.js'
import {
  ClassBalancedShift,
  type ClassBalancedShiftState,
  PooledMeanShift,
  type PooledMeanShiftState,
} from '../../loss/reward-shift.js'
import { readCheckpoint } from '../read-checkpoint.js'

/** What rewards are compared with. */
export interface Reference {
  readonly delta: number
  /** The β that δ was measured with; null if the checkpoint does not tell. */
  readonly beta: number | null
}

/**
 * δ of a checkpoint, or of the newest one in a directory of checkpoints.
 *
 * @throws CHECKPOINT_DAMAGED, CHECKPOINT_VERSION, CHECKPOINT_IO, CHECKPOINT_NOT_FOUND
 */
export async function loadReference(path: string): Promise<Reference> {
  const { trainerState, extra } = await readCheckpoint(resolve(path))
  const config = (extra as { config?: { bco?: { beta?: unknown } } } | null)?.config
  const beta = config?.bco?.beta
  return { delta: deltaOf(trainerState), beta: typeof beta === 'number' ? beta : null }
}

/** The δ that the step after this state would use, that step's own rewards left out. */
export function deltaOf(state: Snapshot['trainerState']): number {
  const number = (name: string) => Number(state.get(`delta.${name}`)?.data[0])
  if (state.has('delta.mean')) {
    const shift = new PooledMeanShift()
    shift.restore({ mean: number('mean'), count: number('count') } satisfies PooledMeanShiftState)
    return shift.delta({ rewards: [], labels: [], weights: [] })
  }
  const shift = new ClassBalancedShift(1)
  shift.restore({
    upSum: number('upSum'),
    upMass: number('upMass'),
    downSum: number('downSum'),
    downMass: number('downMass'),
  } satisfies ClassBalancedShiftState)
  return shift.delta()
}
