import { execFile } from 'node:child_process'
import { access, readdir, readFile, realpath } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Config } from '../../config/config.js'
import { type Finding, fail, pass, warn } from './finding.js'

/** What a process of its own saw when it loaded TensorFlow. */
export type TensorFlowProbe =
  | { readonly loaded: true; readonly version: string; readonly gpu: boolean; readonly libraries: string }
  | { readonly loaded: false; readonly reason: string }

const run = promisify(execFile)
const LOAD_LIMIT_MS = 60_000

/** Runs in the child. The answer is the last line of its output. */
const SCRIPT = `
const { binding } = require(process.argv[1]).findBackend('tensorflow')
console.log(JSON.stringify({ version: binding.TF_Version, gpu: binding.isUsingGpuDevice() }))
`

/** Loads TensorFlow in a child process, so that a crash of the native library is a finding and not our end. */
export async function probeTensorFlow(): Promise<TensorFlowProbe> {
  try {
    const entry = createRequire(import.meta.url).resolve('@tensorflow/tfjs-node-gpu')
    const env = { ...process.env, TF_CPP_MIN_LOG_LEVEL: process.env.TF_CPP_MIN_LOG_LEVEL ?? '2' }
    const { stdout } = await run(process.execPath, ['-e', SCRIPT, entry], { env, timeout: LOAD_LIMIT_MS })
    const answer = JSON.parse(stdout.trim().split('\n').at(-1)!) as { version: string; gpu: boolean }
    const libraries = await realpath(join(dirname(entry), '..', 'deps', 'lib'))
    return { loaded: true, ...answer, libraries }
  } catch (error) {
    return { loaded: false, reason: reasonOf(error as Error & { stderr?: string; signal?: string }) }
  }
}

export function checkTensorFlow(probe: TensorFlowProbe): Finding {
  if (!probe.loaded)
    return fail('tensorflow', probe.reason, 'Run make setup; it fetches libtensorflow and builds the addon.')
  return pass('tensorflow', `${probe.version}, ${probe.libraries}`)
}

/** bf16 pays only where the processor multiplies it. */
export async function checkBf16(dtype: Config['model']['dtype'], cpuinfo = '/proc/cpuinfo'): Promise<Finding> {
  const text = await readFile(cpuinfo, 'utf8').catch(() => '')
  const flags = new Set(/^flags\s*:(.*)$/m.exec(text)?.[1]?.trim().split(/\s+/) ?? [])
  const found = ['amx_bf16', 'avx512_bf16'].filter((flag) => flags.has(flag))
  if (found.length > 0) return pass('bf16', `the processor multiplies bf16 (${found.join(', ')})`)
  const detail = 'the processor has no bf16 instructions'
  return dtype === 'bf16' ? warn('bf16', detail, 'On this CPU model.dtype=f32 is faster.') : pass('bf16', detail)
}

/** A GPU that TensorFlow does not register is almost always a CUDA library that the loader does not find. */
export async function checkGpu(probe: TensorFlowProbe): Promise<Finding> {
  if (!(await hasGpuDevice())) return pass('gpu', 'no NVIDIA device; training runs on the CPU')
  if (!probe.loaded) return warn('gpu', 'TensorFlow does not load, so the GPU is not used', 'Run make setup.')
  if (probe.gpu) return pass('gpu', 'registered with TensorFlow')
  if (probe.libraries.includes('-cpu/')) {
    return warn('gpu', 'libtensorflow is the CPU build, so the GPU is not used', 'Run BCOD_TF=gpu make setup.')
  }
  const missing = await missingCudaLibraries(probe.libraries)
  return missing.length === 0
    ? warn('gpu', 'not registered although the CUDA 12 libraries are there', 'Check the driver with nvidia-smi.')
    : warn(
        'gpu',
        `not registered; the loader does not find ${missing.join(', ')}`,
        'Install the CUDA 12 libraries and put their directories on LD_LIBRARY_PATH.',
      )
}

/** What TensorFlow 2.21 opens by name (CUDA 12, cuDNN 9). */
const CUDA_LIBRARIES = [
  'libcuda.so.1',
  'libcudart.so.12',
  'libcublas.so.12',
  'libcublasLt.so.12',
  'libcufft.so.11',
  'libcusolver.so.11',
  'libcusparse.so.12',
  'libcudnn.so.9',
  'libnccl.so.2',
]

/** Those that are neither on LD_LIBRARY_PATH, nor in the loader's cache, nor in the wheels beside libtensorflow. */
export async function missingCudaLibraries(libraries: string, searchPath = process.env.LD_LIBRARY_PATH ?? '') {
  const cached = await run('ldconfig', ['-p']).then(
    ({ stdout }) => new Set(stdout.split('\n').map((line) => line.trim().split(' ')[0]!)),
    () => new Set<string>(),
  )
  const wheels = join(libraries, '..', 'nvidia')
  const beside = (await readdir(wheels).catch(() => [])).map((name) => join(wheels, name, 'lib'))
  const directories = [...searchPath.split(':').filter((directory) => directory !== ''), ...beside]
  const missing: string[] = []
  for (const library of CUDA_LIBRARIES) {
    const places = directories.map((directory) => join(directory, library))
    const found = cached.has(library) || (await Promise.all(places.map(exists))).includes(true)
    if (!found) missing.push(library)
  }
  return missing
}

async function hasGpuDevice(): Promise<boolean> {
  return (
    (await exists('/dev/nvidia0')) ||
    run('nvidia-smi', ['-L']).then(
      ({ stdout }) => stdout.includes('GPU 0'),
      () => false,
    )
  )
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  )

/** The line of a failed child that says why: an error of the loader, or the signal that ended it. */
function reasonOf({ message, stderr, signal }: Error & { stderr?: string; signal?: string }): string {
  if (signal) return `loading it ended with ${signal}`
  const line = (stderr || message).split('\n').find((text) => /error|cannot/i.test(text)) ?? message
  return line.trim()
}
