// How long a step takes on several places, from what one place takes and what the link of the first place carries.
// docs/capacity.md explains it; docs/adr/027 and learner/rounds.ts have what is modelled.

/** A Llama of grouped-query attention: what decides how much it computes and how large its adapter is. */
export const SHAPES = {
  'smollm2-135m': { hidden: 576, intermediate: 1536, layers: 30, heads: 9, kvHeads: 3, head: 64 },
  '1b': { hidden: 2048, intermediate: 8192, layers: 16, heads: 32, kvHeads: 8, head: 64 },
  '8b': { hidden: 4096, intermediate: 14_336, layers: 32, heads: 32, kvHeads: 8, head: 128 },
  '70b': { hidden: 8192, intermediate: 28_672, layers: 80, heads: 64, kvHeads: 8, head: 128 },
}
const BYTES_OF_F32 = 4

/** [inputs, outputs] of the linear layers of one layer. */
const linear = ({ hidden, intermediate, heads, kvHeads, head }) => [
  [hidden, heads * head],
  [hidden, kvHeads * head],
  [hidden, kvHeads * head],
  [heads * head, hidden],
  [hidden, intermediate],
  [hidden, intermediate],
  [intermediate, hidden],
]

/** Frozen parameters of the linear layers; embedding and head are not among them. */
export const frozenParameters = (shape) =>
  shape.layers * linear(shape).reduce((sum, [inputs, outputs]) => sum + inputs * outputs, 0)

/** Bytes of an adapter on every linear layer in f32; its gradient has as many. */
export const adapterBytes = (shape, r) =>
  BYTES_OF_F32 * shape.layers * linear(shape).reduce((sum, [inputs, outputs]) => sum + r * (inputs + outputs), 0)

/** Seconds that one place computes a block: forward of reference and policy, and backward of the inputs. */
export const blockSeconds = (shape, { tokens, flops }) => (6 * frozenParameters(shape) * tokens) / flops

/**
 * Seconds of a step. Blocks go to the places in rounds; the gradient of each block that another place than the first
 * computed crosses the link of the first, one after the other, and at the end the adapter goes to every other place.
 *
 * @param parts  `block` and `apply` in seconds; `bytes` of the adapter; `link` in bytes a second; `call` in seconds that
 *   a call of another place costs beyond what it computes
 */
export function stepSeconds(places, blocks, { block, apply = 0, bytes, link, call }) {
  const rounds = Math.ceil(blocks / places)
  const away = blocks - rounds
  const gradients = away * (call + bytes / link)
  const adapters = places === 1 ? 0 : call + ((places - 1) * bytes) / link
  return rounds * (block + (places === 1 ? 0 : call)) + gradients + apply + adapters
}

/** How much faster `places` are than one on a step of a block for each. */
export const speedUp = (places, parts) => stepSeconds(1, places, parts) / stepSeconds(places, places, parts)

/** The most places of which the last one still adds half of what it computes. */
export function lastThatPays(parts, most = 1024) {
  let places = 1
  while (places < most && speedUp(places + 1, parts) - speedUp(places, parts) >= 0.5) places++
  return places
}
