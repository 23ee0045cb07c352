import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BcodError } from '../errors.js'
import { GPU_NUMERICS } from './environment.js'
import { usesGpu } from './session.js'

/** What the small addon of the set-up offers (scripts/addon/gpu-numerics.cc): switches that TensorFlow's C API lacks. */
export interface GpuNumerics {
  /** Whether f32 may be multiplied in TF32. */
  tf32(): boolean
  setTf32(on: boolean): void
  /** Whether every operation must give the same bits each time, or fail. */
  setDeterminism(on: boolean): void
}

/** @throws TENSORFLOW_MISSING before the set-up */
export function gpuNumerics(): GpuNumerics {
  const require = createRequire(import.meta.url)
  const path = join(dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')), 'deps', GPU_NUMERICS)
  try {
    return require(path) as GpuNumerics
  } catch (cause) {
    throw new BcodError('TENSORFLOW_MISSING', 'the addon for computing on a GPU could not be loaded', { cause })
  }
}

/**
 * How a GPU computes, for the whole process and before the first session: each operation with the same bits each time,
 * and products of f32 in f32 unless `tf32`. TensorFlow's own defaults are the opposite of both. A CPU is left as it is.
 */
export function prepareGpu({ tf32 }: { readonly tf32: boolean }): void {
  if (!usesGpu()) return
  const numerics = gpuNumerics()
  numerics.setTf32(tf32)
  numerics.setDeterminism(true)
}
