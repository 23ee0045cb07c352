import { setImmediate } from 'node:timers/promises'
import type { Adapter } from '../adapters/adapter.js'
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
  const scale = adapter.alpha / (adapter.rslora ? Math.sqrt(adapter.r) : adapter.r)
  const norms = new Map<string, number>()
  for (const [name, { data: a, shape }] of adapter.tensors) {
    const [, module] = /^base_model\.model\.(.+)\.lora_A\.weight$/.exec(name) ?? []
    if (module === undefined) continue
    const b = adapter.tensors.get(name.replace(/lora_A\.weight$/, 'lora_B.weight'))
    norms.set(module, scale * productNorm(b?.data ?? new Float32Array(0), a, shape[0] as number))
    await setImmediate()
  }
  return norms
}

/** ‖B A‖ for B [out, r] and A [r, in], without the product: ‖B A‖² = tr(BᵀB · A Aᵀ). */
function productNorm(b: Float32Array, a: Float32Array, r: number): number {
  const width = a.length / r
  let sum = 0
  for (let i = 0; i < r; i++)
    for (let j = i; j < r; j++) {
      let [columns, rows] = [0, 0]
      for (let k = 0; k < b.length; k += r) columns += (b[k + i] as number) * (b[k + j] as number)
      for (let k = 0; k < width; k++) rows += (a[i * width + k] as number) * (a[j * width + k] as number)
      sum += (i === j ? 1 : 2) * columns * rows
    }
  // rounding may leave a tiny negative sum of an update that is zero
  return Math.sqrt(Math.max(0, sum))
}
