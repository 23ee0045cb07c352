import { setImmediate } from 'node:timers/promises'
import type { Adapter } from '../adapters/weights/adapter.js'
import { loraScale, lowRankProduct } from '../adapters/weights/low-rank.js'
import { type Check, finding } from './check.js'

/**
 * `update_norm`: how far the adapter moves a weight, ‖ΔW‖ / ‖W‖ in Frobenius norms with ΔW = scale · B A; the largest
 * over the modules.
 *
 * @param bound  `gate.maxUpdateNorm`
 */
export const updateNormCheck = (bound: number): Check => ({
  name: 'update_norm',
  async run({ candidate, model }) {
    const updates = await updateNorms(candidate.adapter)
    const modules = [...updates.keys()]
    const weights = await model.weightNorms(modules)
    let worst = { module: '', value: 0 }
    for (const [i, module] of modules.entries()) {
      const value = (updates.get(module) as number) / (weights[i] as number)
      // a comparison with NaN is false: the first value that is not a number stays
      if (!(value <= worst.value)) worst = { module, value }
      if (Number.isNaN(value)) break
    }
    const outcome = worst.value <= bound ? 'passed' : 'refused'
    const value = Number.isFinite(worst.value) ? worst.value : null
    return finding({ outcome, value, bound, reference: 'base', detail: worst.module && `largest in ${worst.module}` })
  },
})

/** ‖scale · B A‖ by module. Between two modules other work of the thread goes on. */
async function updateNorms(adapter: Adapter): Promise<ReadonlyMap<string, number>> {
  const scale = loraScale(adapter)
  const norms = new Map<string, number>()
  for (const [name, loraA] of adapter.tensors) {
    const [, module] = /^base_model\.model\.(.+)\.lora_A\.weight$/.exec(name) ?? []
    if (module === undefined) continue
    const loraB = adapter.tensors.get(name.replace(/lora_A\.weight$/, 'lora_B.weight'))
    const update = loraB && { scale, loraA, loraB }
    // rounding may leave a tiny negative sum of an update that is zero
    norms.set(module, update ? Math.sqrt(Math.max(0, lowRankProduct(update, update, module))) : 0)
    await setImmediate()
  }
  return norms
}
