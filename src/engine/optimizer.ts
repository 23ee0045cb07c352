import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import type { ProgramScope, Variable } from './program.js'
import { tf } from './tensorflow.js'
import { VectorPartition } from './vector-partition.js'

export interface OptimizerOptions {
  readonly lr: number
  readonly beta1: number
  readonly beta2: number
  readonly eps: number
  /** Decoupled weight decay (AdamW). */
  readonly weightDecay: number
  /** Largest norm of the gradient; 0 = no clipping. */
  readonly clipNorm: number
  readonly schedule: 'constant' | 'linear' | 'cosine'
  readonly warmupSteps: number
  /** Steps after which a linear or cosine schedule has reached 0. */
  readonly totalSteps: number | null
}

/** A named part of the one vector that all trainable parameters live in. */
export interface ParameterSlot {
  readonly name: string
  readonly shape: readonly number[]
  readonly offset: number
  readonly size: number
}

/**
 * All trainable parameters as one flat f32 vector, with AdamW's moments and the accumulated gradient beside it: one
 * read takes a snapshot, one write restores it, and clipping and AdamW are a handful of operations for any number of
 * parameters.
 *
 * Programs compute with its parts. Parameters of one stage are one part, the vector itself. Those of several are a part
 * at each, which has a copy of its values and its own gradient: an optimizer step gathers gradients and hands out values.
 */
export class ParameterVector {
  readonly slots: readonly ParameterSlot[]
  readonly size: number
  readonly partition: VectorPartition
  readonly values: Variable
  /** By part. */
  readonly partValues: readonly Variable[]
  readonly partGradients: readonly Variable[]
  readonly firstMoment: Variable
  readonly secondMoment: Variable
  /**
   * Number of steps applied, f32. It counts up to 2²⁴ and stays there: by then the bias correction is 1, and every
   * schedule has ended, since the configuration allows no longer one.
   */
  readonly step: Variable

  constructor(
    readonly name: string,
    shapes: Readonly<Record<string, readonly number[]>>,
    stageOf: (slot: string) => number = () => 0,
  ) {
    let offset = 0
    this.slots = Object.entries(shapes).map(([key, shape]) => {
      const size = shape.reduce((a, b) => a * b, 1)
      const slot = { name: key, shape, offset, size }
      offset += size
      return slot
    })
    this.size = offset
    const vector = (suffix: string): Variable => ({ name: `${name}.${suffix}`, shape: [offset], dtype: 'float32' })
    this.values = vector('values')
    this.partition = new VectorPartition(this.slots.map(({ size, name: key }) => ({ size, stage: stageOf(key) })))
    this.partValues = this.partition.isWhole ? [this.values] : this.partition.variables(`${name}.values`)
    this.partGradients = this.partition.variables(`${name}.gradient`)
    this.firstMoment = vector('first_moment')
    this.secondMoment = vector('second_moment')
    this.step = { name: `${name}.step`, shape: [], dtype: 'float32' }
  }

  get variables(): readonly Variable[] {
    const copies = this.partition.isWhole ? [] : this.partValues
    return [this.values, ...this.partGradients, this.firstMoment, this.secondMoment, this.step, ...copies]
  }

  /** The parameters by name, cut out of a vector. */
  split(vector: Tensor): Record<string, Tensor> {
    const parts = this.slots.map(({ name, shape, offset, size }) => {
      return [name, tf.reshape(tf.slice(vector, [offset], [size]), [...shape])] as const
    })
    return Object.fromEntries(parts)
  }

  /** The inverse of `split`. */
  join(parts: Readonly<Record<string, Tensor>>): Tensor {
    const flat = this.slots.map(({ name, size }) => tf.reshape(parts[name] as Tensor, [size]))
    return flat.length === 1 ? (flat[0] as Tensor) : tf.concat(flat)
  }

  /** The same cut on the host: views, not copies. */
  views(vector: Float32Array): Map<string, Float32Array> {
    return new Map(this.slots.map(({ name, offset, size }) => [name, vector.subarray(offset, offset + size)]))
  }
}

/**
 * Learning rate of the step that follows `t` applied ones, both f32 scalars. Linear warm-up from lr/warmup, then constant,
 * linear or cosine decay to 0 at `totalSteps`, as in transformers' schedulers but counted from 1.
 */
export function scheduledRate(options: OptimizerOptions, t: Tensor): Tensor {
  const { lr, schedule, warmupSteps, totalSteps } = options
  const warm = warmupSteps > 0 ? tf.minimum(tf.div(tf.add(t, 1), warmupSteps), 1) : tf.scalar(1)
  if (schedule === 'constant') return tf.mul(warm, lr)
  const span = Math.max(1, (totalSteps ?? 0) - warmupSteps)
  const progress = tf.minimum(tf.maximum(tf.div(tf.sub(t, warmupSteps), span), 0), 1)
  const decay = schedule === 'linear' ? tf.sub(1, progress) : tf.mul(tf.add(1, tf.cos(tf.mul(progress, Math.PI))), 0.5)
  return tf.mul(tf.mul(warm, decay), lr)
}

/**
 * Adds a gradient to the accumulated one; `first` (int32 scalar, 1 or 0) starts a new sum.
 *
 * @param gradients  by part
 */
export function accumulateGradient(
  scope: ProgramScope,
  parameters: ParameterVector,
  gradients: readonly Tensor[],
  first: Tensor,
): void {
  parameters.partGradients.forEach((variable, part) => {
    const gradient = gradients[part] as Tensor
    const sum = scope.read(variable)
    // select, not multiply: what an abandoned attempt left behind may be NaN
    const isFirst = tf.broadcastTo(tf.equal(first, tf.scalar(1, 'int32')), gradient.shape)
    scope.assign(variable, tf.where(isFirst, gradient, tf.add(sum, gradient)))
  })
}

/**
 * One AdamW step (Loshchilov & Hutter, 2019; PyTorch's order of operations and its `eps` outside the bias correction)
 * on the accumulated gradient, clipped to `clipNorm` as `torch.nn.utils.clip_grad_norm_` does.
 *
 * Where the gradient or what it would lead to is not finite, nothing changes.
 *
 * @returns `applied` (1 or 0), `grad_norm` before clipping, `lr`
 */
export function applyAdamW(
  scope: ProgramScope,
  parameters: ParameterVector,
  options: OptimizerOptions,
): Record<string, Tensor> {
  const { beta1, beta2, eps, weightDecay, clipNorm } = options
  const theta = scope.read(parameters.values)
  const m = scope.read(parameters.firstMoment)
  const v = scope.read(parameters.secondMoment)
  const t = scope.read(parameters.step)
  const raw = parameters.partition.joined(parameters.partGradients.map((part) => scope.read(part)))

  const norm = euclideanNorm(raw)
  const gradient = clipNorm > 0 ? tf.mul(raw, tf.minimum(tf.div(clipNorm, tf.add(norm, 1e-6)), 1)) : raw
  const lr = scheduledRate(options, t)
  const next = tf.add(t, 1)
  // 1 − βᵗ through expm1: in f32 the difference itself would lose five digits at small t
  const correction1 = tf.neg(tf.expm1(tf.mul(next, Math.log(beta1))))
  const correction2 = tf.neg(tf.expm1(tf.mul(next, Math.log(beta2))))
  const m1 = tf.add(m, tf.mul(tf.sub(gradient, m), 1 - beta1))
  const v1 = tf.add(tf.mul(v, beta2), tf.mul(tf.square(gradient), 1 - beta2))
  const denominator = tf.add(tf.div(tf.sqrt(v1), tf.sqrt(correction2)), eps)
  const decayed = weightDecay > 0 ? tf.mul(theta, tf.sub(1, tf.mul(lr, weightDecay))) : theta
  const theta1 = tf.sub(decayed, tf.mul(tf.div(lr, correction1), tf.div(m1, denominator)))

  const finite = tf.logicalAnd(
    tf.logicalAnd(allFinite(raw), allFinite(theta1)),
    tf.logicalAnd(allFinite(m1), allFinite(v1)),
  )
  const choose = (updated: Tensor, old: Tensor) => tf.where(tf.broadcastTo(finite, old.shape), updated, old)
  const values = choose(theta1, theta)
  scope.assign(parameters.values, values)
  if (!parameters.partition.isWhole)
    parameters.partition.parted(values).forEach((part, i) => {
      scope.assign(parameters.partValues[i] as Variable, part)
    })
  scope.assign(parameters.firstMoment, choose(m1, m))
  scope.assign(parameters.secondMoment, choose(v1, v))
  scope.assign(parameters.step, tf.where(finite, next, t))
  return { applied: tf.cast(finite, 'int32'), grad_norm: norm, lr }
}

const allFinite = (x: Tensor): Tensor => tf.all(tf.isFinite(x))

/** ‖x‖₂ without overflow of the squares. */
function euclideanNorm(x: Tensor): Tensor {
  const scale = tf.maximum(tf.max(tf.abs(x)), 1e-30)
  return tf.mul(scale, tf.sqrt(tf.sum(tf.square(tf.div(x, scale)))))
}
