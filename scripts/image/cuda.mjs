// The CUDA libraries of the GPU image: files of the wheels that deploy/image/cuda.txt pins.
import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { once } from '../cache.mjs'

const PINS = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'deploy', 'image', 'cuda.txt')

/** Files below `nvidia/` to keep; everything else in the wheels is for those who compile. */
export const FILES = [
  'cublas/lib/libcublas.so.12',
  'cublas/lib/libcublasLt.so.12',
  'cuda_cupti/lib/libcupti.so.12',
  'cuda_nvcc/bin/ptxas',
  'cuda_nvcc/nvvm/libdevice/libdevice.10.bc',
  'cuda_nvrtc/lib/libnvrtc.so.12',
  'cuda_nvrtc/lib/libnvrtc-builtins.so.12.9',
  'cuda_runtime/lib/libcudart.so.12',
  'cudnn/lib/libcudnn.so.9',
  'cudnn/lib/libcudnn_adv.so.9',
  'cudnn/lib/libcudnn_cnn.so.9',
  'cudnn/lib/libcudnn_engines_precompiled.so.9',
  'cudnn/lib/libcudnn_engines_runtime_compiled.so.9',
  'cudnn/lib/libcudnn_engines_tensor_ir.so.9',
  'cudnn/lib/libcudnn_ext.so.9',
  'cudnn/lib/libcudnn_graph.so.9',
  'cudnn/lib/libcudnn_heuristic.so.9',
  'cudnn/lib/libcudnn_ops.so.9',
  'cufft/lib/libcufft.so.11',
  'cusolver/lib/libcusolver.so.11',
  'cusparse/lib/libcusparse.so.12',
  'nccl/lib/libnccl.so.2',
  'nvjitlink/lib/libnvJitLink.so.12',
]

/** Their folders, below the target of `fetchCuda`: libtensorflow's own search path leaves out cuSOLVER's. */
export const LIBRARY_FOLDERS = [...new Set(FILES.filter((file) => file.includes('/lib/')).map(dirname))].map((folder) =>
  join('nvidia', folder),
)

/**
 * What libtensorflow opens by name, after its functions `DsoLoader::Get…DsoHandle`: the file above that answers each
 * one, or why there is none.
 */
export const OPENED = {
  Cublas: 'cublas/lib/libcublas.so.12',
  CublasLt: 'cublas/lib/libcublasLt.so.12',
  CudaDriver: 'libcuda.so.1, of the driver, which the container runtime mounts',
  CudaRuntime: 'cuda_runtime/lib/libcudart.so.12',
  Cudnn: 'cudnn/lib/libcudnn.so.9',
  Cufft: 'cufft/lib/libcufft.so.11',
  Cupti: 'cuda_cupti/lib/libcupti.so.12',
  Cusolver: 'cusolver/lib/libcusolver.so.11',
  Cusparse: 'cusparse/lib/libcusparse.so.12',
  Nccl: 'nccl/lib/libnccl.so.2',
  NvInfer: 'TensorRT, which bcod does not use',
  NvInferPlugin: 'TensorRT, which bcod does not use',
  Nvml: 'libnvidia-ml.so.1, of the driver, which the container runtime mounts',
  Nvshmem: 'memory shared between GPUs, of which bcod uses one',
}

/** `{ name, version, sha256 }` of each pinned wheel. */
export function pinnedWheels() {
  const pins = readFileSync(PINS, 'utf8').matchAll(/^([a-z0-9-]+)==(\S+) --hash=sha256:([0-9a-f]{64})$/gm)
  return [...pins].map(([, name, version, sha256]) => ({ name, version, sha256 }))
}

const UNPACK = `
import sys, zipfile
wheel, target, *files = sys.argv[1:]
with zipfile.ZipFile(wheel) as z:
    for name in set(z.namelist()) & set('nvidia/' + file for file in files):
        z.extract(name, target)
`

/** What XLA compiles with for a GPU, below `nvidia/cuda_nvcc/`: ptxas and libdevice. */
const COMPILER = 'nvidia-cuda-nvcc-cu12'

/** Downloads the wheels and leaves `nvidia/` in `target`, where libtensorflow looks: beside its own folder. */
export const fetchCuda = (target) => fetchWheels(target, pinnedWheels())

/** The same of the wheel with XLA's tools alone. @returns the folder that `--xla_gpu_cuda_data_dir` takes, once made */
export function fetchCudaCompiler(cache) {
  const wheel = pinnedWheels().find(({ name }) => name === COMPILER)
  const target = join(cache, 'cuda-compiler', wheel.version)
  once(target, (dir) => fetchWheels(dir, [wheel]))
  return join(target, 'nvidia', 'cuda_nvcc')
}

function fetchWheels(target, wheels) {
  const work = mkdtempSync(join(process.env.TMPDIR ?? tmpdir(), 'bcod-cuda-'))
  const pip = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:', '--require-hashes']
  const run = (...args) => execFileSync('python3', args, { stdio: ['ignore', 2, 2] })
  const requirements = join(work, 'requirements.txt')
  const pins = wheels.map(({ name, version, sha256 }) => `${name}==${version} --hash=sha256:${sha256}\n`)
  try {
    writeFileSync(requirements, pins.join(''))
    run(...pip, '-d', work, '-r', requirements)
    mkdirSync(target, { recursive: true })
    for (const wheel of readdirSync(work).filter((file) => file.endsWith('.whl')))
      run('-c', UNPACK, join(work, wheel), target, ...FILES)
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
  chmodSync(join(target, 'nvidia', 'cuda_nvcc', 'bin', 'ptxas'), 0o755)
}
