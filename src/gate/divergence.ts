import { BcodError } from '../errors.js'
import type { TokenPair } from '../text/tokenise-pairs.js'
import { type Check, finding, leftOut } from './check.js'
import { meanInterval } from './interval.js'

/**
 * `kl_base`, `kl_live`: KL(π_candidate ‖ π_other) per token, in nats, at the positions of recent completions. Each
 * position's divergence is exact: a sum over the whole vocabulary, not over tokens that were sampled, so it does not
 * matter which adapter wrote the completion. The mean is Σ KL / Σ tokens; the interval has completions as clusters.
 *
 * @param bound   `gate.maxKlBase` or `gate.maxKlLive`: the upper end of the interval must not be above it
 * @param recent  prompts and completions as they trained
 */
export const divergenceCheck = (
  other: 'base' | 'live',
  bound: number,
  recent: () => Promise<readonly TokenPair[]>,
): Check => ({
  name: `kl_${other}`,
  async run({ model, live }) {
    const reference = other === 'base' ? 'base' : (live?.version ?? null)
    if (reference === null) return finding({ outcome: 'skipped', bound, detail: 'nothing is live yet' })
    const pairs = await recent()
    if (pairs.length < 2) throw new BcodError('GATE_NO_PROMPTS', `there are ${pairs.length}`)
    const found = (await model.divergences(other, pairs)).map((sum, i) => ({ sum, pair: pairs[i] as TokenPair }))
    const inMemory = found.filter((one): one is typeof one & { readonly sum: number } => one.sum !== null)
    const left = leftOut(found.length - inMemory.length)
    if (inMemory.length < 2) throw new BcodError('GATE_NO_PROMPTS', `there are ${inMemory.length}${left}`)
    const divergences = inMemory.map(({ sum }) => sum)
    const tokens = inMemory.map(({ pair }) => pair.completionTokens.length)
    const total = tokens.reduce((sum, count) => sum + count, 0)
    const detail = `${inMemory.length} completions, ${total} tokens${left}`
    if (!divergences.every(Number.isFinite))
      return finding({ outcome: 'refused', bound, reference, detail: `${detail}; not finite` })
    const means = divergences.map((sum, i) => sum / (tokens[i] as number))
    const { value, low, high } = meanInterval(means, tokens)
    return finding({ outcome: high <= bound ? 'passed' : 'refused', value, low, high, bound, reference, detail })
  },
})
