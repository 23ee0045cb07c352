import { tensorFlowEnvironment, type WantedCpuSettings } from '../engine/environment.js'

/** What TensorFlow, XLA, CUDA and the loader read, and nothing that could be a secret of bcod's or of an operator's. */
const PASSED = /^(TF_|XLA_|CUDA_|NVIDIA_|ONEDNN_|DNNL_|OMP_|MALLOC_)|^(PATH|LD_LIBRARY_PATH|HOME|TMPDIR|TZ)$/

/** The environment of the worker's program. */
export const workerEnvironment = (
  wanted: WantedCpuSettings,
  given: NodeJS.ProcessEnv = process.env,
): NodeJS.ProcessEnv => ({
  ...Object.fromEntries(Object.entries(given).filter(([name]) => PASSED.test(name))),
  ...tensorFlowEnvironment(wanted, given),
})
