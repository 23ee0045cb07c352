import { createRequire } from 'node:module'
import { BcodError } from '../errors.js'
import { addonPath } from './own-addons.js'

/** What the small addon of the set-up offers (scripts/addon/gpu-numerics.cc). Loading it does not load TensorFlow. */
export interface GpuAddon {
  /** Name and compute capability of each GPU that the driver shows, as in `NVIDIA H100 80GB HBM3 9.0`. */
  gpus(): readonly string[]
  // switches that TensorFlow's C API lacks; TensorFlow must be loaded
  /** Whether f32 may be multiplied in TF32. */
  tf32(): boolean
  setTf32(on: boolean): void
  /** Whether every operation must give the same bits each time, or fail. */
  setDeterminism(on: boolean): void
}

/** @throws TENSORFLOW_MISSING before the set-up */
export function gpuAddon(): GpuAddon {
  try {
    return createRequire(import.meta.url)(addonPath('gpuNumerics')) as GpuAddon
  } catch (cause) {
    throw new BcodError('TENSORFLOW_MISSING', 'the addon for computing on a GPU could not be loaded', { cause })
  }
}
