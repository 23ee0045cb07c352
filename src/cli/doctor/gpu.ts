import { execFile } from 'node:child_process'
import { access, readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'
import { type Finding, fail, pass, warn } from './finding.js'
import type { TensorFlowProbe } from './tensorflow.js'

const run = promisify(execFile)

type Report = typeof fail

/** Where this machine is looked at. @default as it is */
export interface Machine {
  readonly env?: NodeJS.ProcessEnv
  readonly devices?: string
  /** Names of the libraries that the loader finds by itself. */
  readonly loader?: ReadonlySet<string>
  /** Folders that hold a CUDA toolkit, beside those that libtensorflow and XLA_FLAGS name. */
  readonly toolkits?: readonly string[]
}

/**
 * A GPU that TensorFlow does not register is almost always a CUDA library that the loader does not find. Without the
 * driver's two, TensorFlow says nothing at all. Nothing is asked of a machine that has neither a GPU nor the build for one.
 */
export async function checkGpu(probe: TensorFlowProbe, machine: Machine = {}): Promise<readonly Finding[]> {
  const visible = await hasGpuDevice(machine.devices)
  const registered = probe.loaded && probe.gpu
  if (!visible && !registered && !isGpuBuild(probe)) {
    return [pass('gpu', 'no NVIDIA device; training runs on the CPU')]
  }
  if (!probe.loaded) return [warn('gpu', 'TensorFlow does not load, so the GPU is not used', 'Run make setup.')]
  if (!registered && !isGpuBuild(probe)) {
    const remedy = 'Run BCOD_TF=gpu make setup.'
    return [warn('gpu', 'libtensorflow is the CPU build, so the GPU is not used', remedy)]
  }
  const gpu = registered ? pass('gpu', 'registered with TensorFlow') : await notRegistered(probe, visible, machine)
  // without a GPU training goes on on the CPU, and needs neither
  const report = registered ? fail : warn
  return [gpu, await checkXlaTools(probe.libraries, machine, report), checkTf32(probe, report)]
}

const isGpuBuild = (probe: TensorFlowProbe) => probe.loaded && /-gpu\/lib$/.test(probe.libraries)

async function notRegistered(
  { libraries }: { readonly libraries: string },
  visible: boolean,
  { env = process.env, loader }: Machine,
): Promise<Finding> {
  const missing = await missingCudaLibraries(libraries, env.LD_LIBRARY_PATH ?? '', loader)
  const seen = visible ? 'not registered' : 'libtensorflow is the GPU build, and no NVIDIA device is visible'
  if (missing.length === 0) {
    return warn('gpu', `${seen}, although the CUDA 12 libraries are there`, 'Check the driver with nvidia-smi.')
  }
  const ofDriver = missing.filter((name) => DRIVER_LIBRARIES.includes(name))
  const remedies = [
    ...(ofDriver.length > 0
      ? ['Install the NVIDIA driver; in a container, NVIDIA_DRIVER_CAPABILITIES must hold compute and utility.']
      : []),
    ...(ofDriver.length < missing.length
      ? ['Install the CUDA 12 libraries and put their directories on LD_LIBRARY_PATH.']
      : []),
  ]
  return warn('gpu', `${seen}; the loader does not find ${missing.join(', ')}`, remedies.join(' '))
}

/** Of the driver. Without either of them TensorFlow registers no GPU and does not say why. */
const DRIVER_LIBRARIES = ['libcuda.so.1', 'libnvidia-ml.so.1']

/** What TensorFlow 2.21 opens by name (CUDA 12, cuDNN 9). */
export const CUDA_LIBRARIES = [
  ...DRIVER_LIBRARIES,
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libcudnn.so.9',
  'libnccl.so.2',
]

/** Where the loader looks in any case; the image has no `ldconfig` to ask. */
const LOADER_DIRECTORIES = ['/lib/x86_64-linux-gnu', '/usr/lib/x86_64-linux-gnu', '/lib64', '/usr/lib64']

/** Those that are neither on LD_LIBRARY_PATH, nor known to the loader, nor in the wheels beside libtensorflow. */
export async function missingCudaLibraries(
  libraries: string,
  searchPath = process.env.LD_LIBRARY_PATH ?? '',
  loader?: ReadonlySet<string>,
): Promise<readonly string[]> {
  const known = loader ?? (await loaderKnows())
  const wheels = join(libraries, '..', 'nvidia')
  const beside = (await readdir(wheels).catch(() => [])).map((name) => join(wheels, name, 'lib'))
  const directories = [...searchPath.split(':').filter((directory) => directory !== ''), ...beside]
  const missing: string[] = []
  for (const library of CUDA_LIBRARIES) {
    if (!known.has(library) && (await firstOf(directories, library)) === null) missing.push(library)
  }
  return missing
}

/** Names of the libraries that the loader finds by itself. */
async function loaderKnows(): Promise<ReadonlySet<string>> {
  const cached = await run('ldconfig', ['-p']).then(
    ({ stdout }) => stdout.split('\n').map((line) => line.trim().split(' ')[0]!),
    () => [],
  )
  const folders = await Promise.all(LOADER_DIRECTORIES.map((directory) => readdir(directory).catch(() => [])))
  return new Set([...cached, ...folders.flat()])
}

/** XLA compiles for a GPU with two files of CUDA's toolkit, with either executor. It looks for them where this does. */
async function checkXlaTools(libraries: string, machine: Machine, report: Report): Promise<Finding> {
  const { env = process.env, toolkits = ['/usr/local/cuda', '/opt/cuda'] } = machine
  const named = /--xla_gpu_cuda_data_dir=(\S+)/.exec(env.XLA_FLAGS ?? '')?.[1]
  const roots = [...(named === undefined ? [] : [named]), join(libraries, '..', 'nvidia', 'cuda_nvcc'), ...toolkits]
  const path = (env.PATH ?? '').split(delimiter).filter((directory) => directory !== '')
  const ptxas = await firstOf([...roots.map((root) => join(root, 'bin')), ...path], 'ptxas')
  const libdevice = await firstOf(roots, join('nvvm', 'libdevice', 'libdevice.10.bc'))
  if (ptxas !== null && libdevice !== null) return pass('gpu compiler', ptxas)
  const missing = [...(ptxas === null ? ['ptxas'] : []), ...(libdevice === null ? ['libdevice.10.bc'] : [])]
  return report(
    'gpu compiler',
    `XLA does not find ${missing.join(' and ')}, so nothing can be compiled for the GPU`,
    'Install CUDA 12 (the wheel nvidia-cuda-nvcc-cu12 holds both), and name its folder: XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR.',
  )
}

/** What the child read back after it had set what `model.tf32` says. */
function checkTf32({ tf32 }: { readonly tf32: boolean | null }, report: Report): Finding {
  if (tf32 === null) {
    return report('tf32', 'the addon that switches it does not load, so nothing trains on a GPU', 'Run make setup.')
  }
  return pass('tf32', tf32 ? 'on: products of f32 keep 10 bits behind the point' : 'off: products of f32 are whole')
}

/** Whether there is a GPU: a container may see any one of a machine's. */
async function hasGpuDevice(devices = '/dev'): Promise<boolean> {
  if ((await readdir(devices).catch(() => [])).some((name) => /^nvidia\d+$/.test(name))) return true
  return run('nvidia-smi', ['-L']).then(
    ({ stdout }) => stdout.includes('GPU '),
    () => false,
  )
}

async function firstOf(directories: readonly string[], file: string): Promise<string | null> {
  for (const directory of directories) {
    const path = join(directory, file)
    const found = await access(path).then(
      () => true,
      () => false,
    )
    if (found) return path
  }
  return null
}
