import type { StateTensor } from '../checkpoint/snapshot.js'
import { BcodError } from '../errors.js'

/** The learner's state apart from the adapter, as plain values. */
export interface LearnerState {
  /** The number of the last step. */
  readonly step: number
  /** How many of the steps up to it are not in the weights: learning went on from an older version. */
  readonly abandoned: number
  readonly firstMoment: Float32Array
  readonly secondMoment: Float32Array
  /** Snapshots of δ and the class rate: flat objects of numbers. */
  readonly shift: unknown
  readonly classRate: unknown
  readonly classifier: Readonly<Record<string, Float64Array>>
  /** Tokens of the largest packed batch that memory allowed, and the `batch.tokens` that it was found under; null for no limit. */
  readonly blockLimit: { readonly positions: number; readonly of: number } | null
}

/** As named tensors, which is how a checkpoint keeps it: numbers in f64, so that nothing is rounded. */
export function writeLearnerState(state: LearnerState): ReadonlyMap<string, StateTensor> {
  const tensors = new Map<string, StateTensor>()
  const f32 = (name: string, data: Float32Array) => tensors.set(name, { dtype: 'f32', shape: [data.length], data })
  const f64 = (name: string, data: Float64Array) => tensors.set(name, { dtype: 'f64', shape: [data.length], data })
  const integer = (name: string, value: number) =>
    tensors.set(name, { dtype: 'i32', shape: [1], data: Int32Array.of(value) })
  integer('optimizer.step', state.step - state.abandoned)
  if (state.abandoned > 0) integer('lineage.abandoned', state.abandoned)
  f32('optimizer.first_moment', state.firstMoment)
  f32('optimizer.second_moment', state.secondMoment)
  for (const [group, values] of [
    ['delta', state.shift],
    ['class_rate', state.classRate],
  ] as const)
    for (const [key, value] of Object.entries(values as Record<string, number>))
      f64(`${group}.${key}`, Float64Array.of(value))
  for (const [key, data] of Object.entries(state.classifier)) f64(`classifier.${key}`, data)
  if (state.blockLimit !== null) {
    const { positions, of } = state.blockLimit
    tensors.set('blocks.limit', { dtype: 'i32', shape: [2], data: Int32Array.of(positions, of) })
  }
  return tensors
}

/** @throws CHECKPOINT_DAMAGED if a tensor is missing or of another size */
export function readLearnerState(
  tensors: ReadonlyMap<string, StateTensor>,
  parameters: number,
): LearnerState & {
  readonly shift: Record<string, number>
  readonly classRate: { readonly up: number; readonly down: number }
} {
  const vector = (name: string): Float32Array => {
    const tensor = tensors.get(name)
    if (tensor?.dtype === 'f32' && tensor.data.length === parameters) return tensor.data
    throw new BcodError('CHECKPOINT_DAMAGED', `${name} does not fit an adapter of ${parameters} parameters`, {
      place: 'trainer_state.safetensors',
    })
  }
  const group = (prefix: string) => {
    const own = [...tensors].filter(([name]) => name.startsWith(`${prefix}.`))
    return Object.fromEntries(own.map(([name, { data }]) => [name.slice(prefix.length + 1), data] as const))
  }
  const numbers = (prefix: string) =>
    Object.fromEntries(Object.entries(group(prefix)).map(([key, data]) => [key, Number(data[0])]))
  const limit = tensors.get('blocks.limit')?.data
  const integer = (name: string) => Number(tensors.get(name)?.data[0] ?? 0)
  const abandoned = integer('lineage.abandoned')
  return {
    step: integer('optimizer.step') + abandoned,
    abandoned,
    firstMoment: vector('optimizer.first_moment'),
    secondMoment: vector('optimizer.second_moment'),
    shift: numbers('delta'),
    classRate: numbers('class_rate') as { up: number; down: number },
    classifier: group('classifier') as Record<string, Float64Array>,
    blockLimit: limit ? { positions: Number(limit[0]), of: Number(limit[1]) } : null,
  }
}
