import type { Executor, Kernels } from '../engine/index.js'

/** Whatever changes bits, resolved once. Checkpoints and the journal keep it; a replay follows its changes. */
export type Resolved = {
  readonly executor: Executor
  readonly dtype: string
  readonly threads: number
  readonly interOpThreads: number
  readonly kernels: Kernels
  readonly layers: string
  readonly device: 'cpu' | 'gpu'
  /** On a GPU: whether f32 is multiplied in TF32. */
  readonly tf32?: boolean
  /** Over how many devices the layers are spread, if more than one. What XLA compiles rounds otherwise in stages. */
  readonly stages?: number
}
