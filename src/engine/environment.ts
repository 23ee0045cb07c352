import { availableParallelism } from 'node:os'
import type { Executor } from './saved-model.js'

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

/** Whose matrix products TensorFlow uses on a CPU. */
export type Kernels = 'onednn' | 'eigen'

/** What TensorFlow reads once, when it is loaded, and then keeps for the whole process. */
export interface CpuSettings {
  /** Threads that share the work of one operation. */
  readonly threads: number
  /** Threads that operations run on side by side. */
  readonly interOpThreads: number
  readonly kernels: Kernels
}

/** The same as the configuration has them. */
export interface WantedCpuSettings {
  /** 0 = one per core. */
  readonly threads: number
  /** 0 = as many as `threads`. @default 0 */
  readonly interOpThreads?: number
  /** @default auto */
  readonly kernels?: 'auto' | Kernels
  /** Batches that are computed on the CPU at the same time. @default 1 */
  readonly places?: number
}

/**
 * What wanted settings come to without a measurement. `auto` is oneDNN, which TensorFlow turns on by itself only if the
 * processor has AVX-512 VNNI or AMX, unless the operator's environment says otherwise. A batch holds a thread between
 * operations for as long as it runs: with no more of them than places, one batch would wait for another.
 */
export function cpuSettings(
  { threads, interOpThreads = 0, kernels = 'auto', places = 1 }: WantedCpuSettings,
  environment: NodeJS.ProcessEnv = process.env,
): CpuSettings {
  const resolved = threads > 0 ? threads : availableParallelism()
  return {
    threads: resolved,
    interOpThreads: Math.max(interOpThreads > 0 ? interOpThreads : resolved, places > 1 ? places + 1 : 1),
    kernels: kernels === 'auto' ? kernelsIn(environment) : kernels,
  }
}

/**
 * The variables by which TensorFlow learns the settings, beside those that it is given.
 *
 * @param given  what an operator has set goes before our defaults
 */
export function tensorFlowEnvironment(
  wanted: WantedCpuSettings,
  given: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const { threads, interOpThreads, kernels } = cpuSettings(wanted, given)
  return {
    TF_NUM_INTRAOP_THREADS: String(threads),
    TF_NUM_INTEROP_THREADS: String(interOpThreads),
    TF_ENABLE_ONEDNN_OPTS: kernels === 'onednn' ? '1' : '0',
    TF_CPP_MIN_LOG_LEVEL: given.TF_CPP_MIN_LOG_LEVEL ?? '2',
    TF_FORCE_GPU_ALLOW_GROWTH: given.TF_FORCE_GPU_ALLOW_GROWTH ?? 'true',
    XLA_FLAGS: xlaFlags(given.XLA_FLAGS),
  }
}

/**
 * Puts the settings where TensorFlow finds them: in the process environment. Call it in the main thread before the first
 * import of `tensorflow.ts`: a worker's copy of `process.env` does not reach native code.
 *
 * @param options  `cpuAlone` leaves GPUs alone
 */
export function prepareEnvironment(wanted: WantedCpuSettings, { cpuAlone = false } = {}): void {
  // CUDA shows no device then, and programs are traced for the CPU
  if (cpuAlone) process.env.CUDA_VISIBLE_DEVICES = '-1'
  Object.assign(process.env, tensorFlowEnvironment(wanted))
}

/** The settings that `prepareEnvironment` made; 0 threads if nobody called it. */
export const preparedSettings = (): CpuSettings => ({
  threads: Number(process.env.TF_NUM_INTRAOP_THREADS ?? 0),
  interOpThreads: Number(process.env.TF_NUM_INTEROP_THREADS ?? 0),
  kernels: kernelsIn(process.env),
})

const kernelsIn = ({ TF_ENABLE_ONEDNN_OPTS: value }: NodeJS.ProcessEnv): Kernels => (value === '0' ? 'eigen' : 'onednn')
