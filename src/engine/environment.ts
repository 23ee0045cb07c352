import { availableParallelism } from 'node:os'
import type { Executor } from './saved-model.js'

/** The set-up's addon with the switches of `gpu-numerics.ts`, beside libtensorflow. */
export const GPU_NUMERICS = 'bcod_gpu_numerics.node'

/** XLA's kernels for a GPU give the same bits each time, and are chosen without a contest. */
const DETERMINISTIC = '--xla_gpu_deterministic_ops'

/** XLA's flags: what is given comes last and so takes precedence. */
export const xlaFlags = (given = ''): string =>
  given.includes(DETERMINISTIC) ? given : [`${DETERMINISTIC}=true`, ...(given === '' ? [] : [given])].join(' ')

/** How the programs are run, and why so. */
export interface ExecutorChoice {
  readonly executor: Executor
  readonly reason: string
}

/**
 * What `model.executor` comes to. XLA fuses a step on a GPU from thousands of launches to hundreds; on a CPU it gains a
 * few percent in f32, loses in bf16, and takes seconds for each shape (docs/adr/002).
 */
export function chooseExecutor(wanted: 'auto' | Executor, gpu: boolean): ExecutorChoice {
  if (wanted !== 'auto') return { executor: wanted, reason: 'model.executor says so' }
  return gpu ? { executor: 'xla', reason: 'auto, on a GPU' } : { executor: 'graph', reason: 'auto, on a CPU' }
}

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
  process.env.XLA_FLAGS = xlaFlags(process.env.XLA_FLAGS)
  return resolved
}
