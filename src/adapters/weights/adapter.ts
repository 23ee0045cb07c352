import { createHash } from 'node:crypto'
import { BcodError } from '../../errors.js'

export interface AdapterTensor {
  readonly shape: readonly number[]
  readonly data: Float32Array
}

/** A LoRA adapter as PEFT names it: W x + scale · B A x, scale = alpha / r, or alpha / √r with rslora. */
export interface Adapter {
  readonly r: number
  readonly alpha: number
  readonly rslora: boolean
  /** PEFT's module names, such as `q_proj`, sorted. */
  readonly targets: readonly string[]
  /** What the base model is called; PEFT keeps it in the config. */
  readonly baseModel: string | null
  /** `base_model.model.….q_proj.lora_A.weight` [r, in] and `….lora_B.weight` [out, r]. */
  readonly tensors: ReadonlyMap<string, AdapterTensor>
}

/** sha256, in hex, of the raw little-endian f32 bytes of the tensors in the code-unit order of their names. */
export function adapterSha256(tensors: Adapter['tensors']): string {
  const hash = createHash('sha256')
  for (const [, { data }] of [...tensors].sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength))
  }
  return hash.digest('hex')
}

/** The name of the first tensor that holds NaN or infinity, in order of names; null if all numbers are finite. */
export function nonFiniteTensor(tensors: Adapter['tensors']): string | null {
  for (const name of [...tensors.keys()].sort()) {
    if (!tensors.get(name)?.data.every(Number.isFinite)) return name
  }
  return null
}

/** @throws ADAPTER_NONFINITE where a number of it is NaN or infinite */
export function requireFinite(adapter: Adapter, place: string): Adapter {
  const bad = nonFiniteTensor(adapter.tensors)
  if (bad === null) return adapter
  const remedy = 'Use another version of the adapter: this one answers nothing.'
  throw new BcodError('ADAPTER_NONFINITE', `tensor ${bad}`, { place, remedy })
}
