import type { Architecture } from '../../model/architecture.js'
import type { LoraOptions } from '../../model/lora.js'
import { LINEAR_LAYERS, linearShape } from '../../model/parameters.js'

/** All products of one shape with frozen matrices: [positions, input] · [input, output]. */
export interface FrozenProduct {
  readonly input: number
  readonly output: number
  readonly flops: number
}

export interface UsefulFlops {
  /** Linear layers and logits, by shape. */
  readonly products: readonly FrozenProduct[]
  readonly lora: number
  readonly attention: number
  readonly total: number
}

/** Forward of the reference and of the policy. */
const FORWARD = 2

/**
 * Floating-point operations that BCO steps over `events` need, however they are computed: an addition and a
 * multiplication are two, padding is none. Only matrix products count; norms, softmax, activations and the optimizer
 * are below a percent.
 *
 * Legend: T tokens of an event, C of them in its completion; each layer has weights [out, in].
 *
 * - linear layers, each of the T positions: forward of the reference, forward of the policy, and the gradient with
 *   respect to the layer's input; frozen weights have no gradient of their own: 3 · 2 T · in · out
 * - logits over V words, each of the C positions that predict a completion token: as above, 3 · 2 C · D · V
 * - LoRA of rank r, in the policy alone: forward, gradient with respect to A and B, and with respect to the input:
 *   3 · 2 T · r · (in + out)
 * - attention, each of the H heads of E channels, over the T (T + 1) / 2 pairs that causality leaves: two products
 *   forward, twice, and four backward: 8 · 2 · H · E · T (T + 1) / 2
 */
export function usefulFlops(
  architecture: Architecture,
  { r, targets }: Pick<LoraOptions, 'r' | 'targets'>,
  events: readonly { readonly prompt: number; readonly completion: number }[],
): UsefulFlops {
  const { layers, heads, headDim, hiddenSize, vocabSize } = architecture
  const sum = (of: (event: (typeof events)[number]) => number) => events.reduce((total, event) => total + of(event), 0)
  const tokens = sum(({ prompt, completion }) => prompt + completion)
  const predicted = sum(({ completion }) => completion)
  const pairs = sum(({ prompt, completion }) => ((prompt + completion) * (prompt + completion + 1)) / 2)

  const products = new Map<string, FrozenProduct>()
  const add = (input: number, output: number, times: number) => {
    const key = `${input}x${output}`
    const flops = (products.get(key)?.flops ?? 0) + 2 * times * input * output
    products.set(key, { input, output, flops })
  }
  let lora = 0
  for (const layer of LINEAR_LAYERS) {
    const [output, input] = linearShape(architecture, layer)
    add(input, output, FORWARD * layers * tokens)
    add(output, input, layers * tokens)
    if (targets.includes(layer)) lora += 3 * 2 * layers * tokens * r * (input + output)
  }
  add(hiddenSize, vocabSize, FORWARD * predicted)
  add(vocabSize, hiddenSize, predicted)

  const attention = 8 * 2 * layers * heads * headDim * pairs
  const frozen = [...products.values()]
  const total = frozen.reduce((all, { flops }) => all + flops, 0) + lora + attention
  return { products: frozen, lora, attention, total }
}
