import { availableParallelism } from 'node:os'

/** The set-up's addon with the switches of `gpu-numerics.ts`, beside libtensorflow. */
export const GPU_NUMERICS = 'bcod_gpu_numerics.node'

/**
 * Settings that TensorFlow reads once, from the process environment, when its addon is loaded. Call it in the main
 * thread before the first import of `tensorflow.ts`: a worker's copy of `process.env` does not reach native code.
 *
 * @param threads  intra-op threads; 0 = one per core
 * @returns the number of threads that TensorFlow will use
 */
export function prepareEnvironment(threads: number): number {
  const resolved = threads > 0 ? threads : availableParallelism()
  process.env.TF_NUM_INTRAOP_THREADS = String(resolved)
  process.env.TF_NUM_INTEROP_THREADS = String(resolved)
  // TensorFlow turns oneDNN on by itself only if the processor has AVX-512 VNNI or AMX
  process.env.TF_ENABLE_ONEDNN_OPTS ??= '1'
  process.env.TF_CPP_MIN_LOG_LEVEL ??= '2'
  process.env.TF_FORCE_GPU_ALLOW_GROWTH ??= 'true'
  return resolved
}
