import { BcodError } from '../../errors.js'
import type { Adapter, AdapterTensor } from './adapter.js'

/** What an adapter adds to the weight of one module: scale · B A, with A [r, in] and B [out, r]. */
export interface LowRank {
  readonly scale: number
  readonly loraA: AdapterTensor
  readonly loraB: AdapterTensor
}

/** s of W x + s · B A x. */
export const loraScale = ({ r, alpha, rslora }: Pick<Adapter, 'r' | 'alpha' | 'rslora'>): number =>
  alpha / (rslora ? Math.sqrt(r) : r)

/**
 * ⟨s B A, s′ B′ A′⟩ = s s′ Σᵢⱼ (BᵀB′)ᵢⱼ (A A′ᵀ)ᵢⱼ, in f64 and without the products themselves. Of one with itself it is the
 * square of the Frobenius norm.
 *
 * @throws ADAPTER_MISMATCH if the two have other dimensions
 */
export function lowRankProduct(one: LowRank, other: LowRank, module: string): number {
  const [r = 0, inputs = 0] = one.loraA.shape
  const [s = 0, otherInputs] = other.loraA.shape
  const [outputs = 0] = one.loraB.shape
  if (inputs !== otherInputs || outputs !== other.loraB.shape[0])
    throw new BcodError('ADAPTER_MISMATCH', `${module} has other dimensions in the two versions`)
  let sum = 0
  for (let i = 0; i < r; i++)
    for (let j = 0; j < s; j++) {
      let rows = 0
      for (let k = 0; k < inputs; k++)
        rows += (one.loraA.data[i * inputs + k] as number) * (other.loraA.data[j * inputs + k] as number)
      let columns = 0
      for (let k = 0; k < outputs; k++)
        columns += (one.loraB.data[k * r + i] as number) * (other.loraB.data[k * s + j] as number)
      sum += rows * columns
    }
  return one.scale * other.scale * sum
}
