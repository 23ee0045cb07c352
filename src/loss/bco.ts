import type { Tensor } from '@tensorflow/tfjs-node-gpu'
import { tf } from '../engine/index.js'

/** What the loss of a packed batch is made of; all f32[B] but δ and β. Nothing but `policyLogps` has a gradient. */
export interface BcoInputs {
  /** log πθ(y|x), summed over the completion. */
  readonly policyLogps: Tensor
  /** log πref(y|x). */
  readonly referenceLogps: Tensor
  /** +1 for thumbs-up, −1 for thumbs-down. */
  readonly signs: Tensor
  /** Each event's share of the step's loss (`coefficients`); 0 for an unused row. */
  readonly coefficients: Tensor
  /** δ, f32 scalar. */
  readonly delta: Tensor
  readonly beta: number
}

/**
 * Binary Classifier Optimization (arXiv 2404.04656): r = β (logπθ − logπref), ℓ = −log σ(±(r − δ)), L = Σ c ℓ.
 * −log σ(z) is softplus(−z), which neither overflows nor loses digits.
 *
 * @returns `rewards` r and `losses` ℓ, f32[B], and their weighted sum `loss`
 */
export function bcoLoss({ policyLogps, referenceLogps, signs, coefficients, delta, beta }: BcoInputs): {
  rewards: Tensor
  losses: Tensor
  loss: Tensor
} {
  const rewards = tf.mul(tf.sub(policyLogps, referenceLogps), beta)
  const losses = tf.softplus(tf.neg(tf.mul(signs, tf.sub(rewards, delta))))
  return { rewards, losses, loss: tf.sum(tf.mul(coefficients, losses)) }
}
