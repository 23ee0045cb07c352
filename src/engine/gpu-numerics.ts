import { gpuAddon } from './gpu-addon.js'
import { usesGpu } from './tensorflow.js'

/**
 * How a GPU computes, for the whole process and before the first session: each operation with the same bits each time,
 * and products of f32 in f32 unless `tf32`. TensorFlow's own defaults are the opposite of both. A CPU is left as it is.
 *
 * @throws TENSORFLOW_MISSING before the set-up
 */
export function prepareGpu({ tf32 }: { readonly tf32: boolean }): void {
  if (!usesGpu()) return
  const addon = gpuAddon()
  addon.setTf32(tf32)
  addon.setDeterminism(true)
}
