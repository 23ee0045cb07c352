import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { call, declare, type FunctionLibrary } from './functions.js'
import { sparseCrossEntropy } from './ops.js'
import { attr, DataType } from './proto.js'
import { Recorder, type Ref } from './recorder.js'
import { tf } from './tensorflow.js'
import { backend } from './tracing-backend.js'

/**
 * Log-probabilities of target classes under a linear head over a large vocabulary, in chunks of rows, so that memory
 * holds one chunk of logits whatever the number of rows. Chunks beyond `count` are not computed.
 *
 * The gradient with respect to a row is known up to its scale as soon as its logits are: d(log p)/dh =
 * (onehot − softmax) · W. The forward pass keeps that vector; the backward pass only scales it, and no logits are
 * kept or computed again.
 *
 * Legend: M rows, K rows of a chunk, D width, V classes.
 */
export type LinearHead = (
  hidden_MD: Tensor,
  weight_VD: Tensor,
  targets_M: Tensor,
  count: Tensor,
  differentiate: boolean,
) => Tensor

/** @returns a function to log p[M] of `targets_M` given `hidden_MD`; chunks at and after `count` give 0 */
export function defineLinearHead(
  library: FunctionLibrary,
  name: string,
  size: { rows: number; chunk: number; width: number; classes: number; dtype: 'float32' | 'bfloat16' },
): LinearHead {
  const { rows: M, chunk: K, width: D, classes: V, dtype } = size
  if (M % K !== 0) throw new Error(`${M} rows are no multiple of the chunk of ${K}`)
  const weightType = dtype === 'bfloat16' ? DataType.bfloat16 : DataType.float32
  const specs = {
    hidden: { shape: [K, D], dtype: 'float32' },
    weight: { shape: [V, D], dtype },
    targets: { shape: [K], dtype: 'int32' },
  } as const
  const inputs = [
    ['hidden', DataType.float32],
    ['weight', weightType],
    ['targets', DataType.int32],
  ] as const
  const float = DataType.float32

  // products in the type of the weights, as everywhere else in such a model
  const products = dtype === 'bfloat16' ? 'bf16' : 'f32'
  const trace = (suffix: string, body: () => Record<string, Tensor>, recorder: Recorder) => {
    const outputs = backend.withMatmul(products, () =>
      backend.recordInto(recorder, () =>
        tf.tidy(() => Object.entries(body()).map(([key, t]) => ({ name: key, ref: backend.ref(t), type: float }))),
      ),
    )
    library.write(`${name}/${suffix}`, inputs, outputs, recorder)
    return outputs
  }
  for (const differentiate of [false, true]) {
    const suffix = differentiate ? 'gradient' : 'value'
    const chunk = new Recorder()
    const outputs = trace(
      `${suffix}/chunk`,
      () => {
        const { hidden, weight, targets } = declare(chunk, specs) as Record<keyof typeof specs, Tensor>
        const logits_KV = tf.matMul(hidden, weight, false, true)
        const [nll_K, gradient_KV] = sparseCrossEntropy(logits_KV, targets)
        const logps = tf.neg(nll_K)
        return differentiate ? { logps, slope: tf.neg(tf.matMul(gradient_KV, weight)) } : { logps }
      },
      chunk,
    )
    // a branch calls its work: TensorFlow puts oneDNN's products into called functions, not into branches
    const branch = new Recorder()
    for (const [key, type] of inputs) branch.argument(key, type)
    const types = inputs.map(([, type]) => type)
    const results = backend.recordInto(branch, () =>
      call(
        `${name}/${suffix}/chunk`,
        inputs.map(([key]) => key),
        types,
        outputs.map(() => float),
      ),
    )
    const named = outputs.map((output, i) => ({ ...output, ref: results[i] as Ref }))
    library.write(`${name}/${suffix}`, inputs, named, branch)
    const idle = new Recorder()
    trace(
      `${suffix}/idle`,
      () => {
        declare(idle, specs)
        const logps = tf.zeros([K])
        return differentiate ? { logps, slope: tf.zeros([K, D]) } : { logps }
      },
      idle,
    )
  }

  const chunkOf = (hidden: Ref, weight: Ref, targets: Ref, active: Ref, differentiate: boolean): Ref[] => {
    const suffix = differentiate ? 'gradient' : 'value'
    const outputs = differentiate ? [float, float] : [float]
    const attributes = {
      Tcond: attr.type(DataType.bool),
      Tin: attr.types([float, weightType, DataType.int32]),
      Tout: attr.types(outputs),
      then_branch: attr.func(`${name}/${suffix}`),
      else_branch: attr.func(`${name}/${suffix}/idle`),
    }
    return backend.recorder.node('StatelessIf', [active, hidden, weight, targets], attributes, outputs)
  }

  /** Runs all chunks: log p[M] and, if asked for, their slopes [M, D]. */
  const run = (hidden_MD: Tensor, weight_VD: Tensor, targets_M: Tensor, count: Tensor, differentiate: boolean) => {
    const weight = weightType === DataType.bfloat16 ? backend.refBfloat16(weight_VD) : backend.ref(weight_VD)
    const logps: Tensor[] = []
    const slopes: Tensor[] = []
    for (let start = 0; start < M; start += K) {
      const hidden = backend.ref(tf.slice(hidden_MD, [start, 0], [K, D]))
      const targets = backend.ref(tf.slice(targets_M, [start], [K]))
      const active = backend.ref(tf.greater(count, tf.scalar(start, 'int32')))
      const [logp, slope] = chunkOf(hidden, weight, targets, active, differentiate)
      logps.push(backend.tensor(logp as Ref, [K]))
      if (slope !== undefined) slopes.push(backend.tensor(slope, [K, D]))
    }
    return { logps: logps.length === 1 ? (logps[0] as Tensor) : tf.concat(logps), slopes }
  }

  return (hidden_MD, weight_VD, targets_M, count, differentiate) => {
    if (!differentiate) return run(hidden_MD, weight_VD, targets_M, count, false).logps
    const operation = tf.customGrad((hidden) => {
      const { logps, slopes } = run(hidden as Tensor, weight_VD, targets_M, count, true)
      const slope = slopes.length === 1 ? (slopes[0] as Tensor) : tf.concat(slopes)
      const kept = backend.ref(slope)
      const gradFunc = (dy: Tensor | Tensor[]) =>
        tf.mul(tf.reshape(dy as Tensor, [M, 1]), backend.tensor(kept, [M, D])) as Tensor
      return { value: logps, gradFunc }
    })
    return operation(hidden_MD)
  }
}
