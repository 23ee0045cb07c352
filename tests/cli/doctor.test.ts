import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkDevices } from '../../src/cli/doctor/devices.js'
import { checkGpu, missingCudaLibraries } from '../../src/cli/doctor/gpu.js'
import { checkKafkaJars } from '../../src/cli/doctor/kafka.js'
import { checkCache, checkDisk, checkNode, checkOpenFiles } from '../../src/cli/doctor/machine.js'
import { checkBf16, checkTensorFlow } from '../../src/cli/doctor/tensorflow.js'
import { doctorCommand } from '../../src/cli/doctor.js'
import { stdoutOf } from './capture.js'

let scratch: string
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'bcod-doctor-'))
})
afterEach(() => {
  process.exitCode = 0
  rmSync(scratch, { recursive: true, force: true })
})

describe('bcod doctor', () => {
  it('finds TensorFlow 2.21 through a process of its own and fails nothing on a machine that is set up', async () => {
    const report = JSON.parse(
      await stdoutOf(doctorCommand(), '--json', '--set', `checkpoint.dir=${scratch}/new/checkpoints`),
    )
    const finding = (name: string) => report.checks.find((check: { name: string }) => check.name === name)
    expect(report.ok).toBe(true)
    expect(process.exitCode ?? 0).toBe(0)
    expect(finding('tensorflow')).toMatchObject({ status: 'ok', detail: expect.stringMatching(/^2\.21\./) })
    expect(finding('disk').detail).toContain(scratch)
    expect(finding('executor').detail).toMatch(
      /^(graph, onednn, .* \(auto, on a CPU; not measured: there is no model\)|xla, .* \(auto, on a GPU\))$/,
    )
    for (const check of report.checks) expect(Object.keys(check)).toEqual(['name', 'status', 'detail', 'remedy'])
  })

  it('tells a wrong configuration as one failed check, and exits 1', async () => {
    const text = await stdoutOf(doctorCommand(), '--set', 'batch.size=0')
    expect(text).toMatch(/^fail {2}config .*CONFIG_INVALID batch\.size/m)
    expect(text).toMatch(/^(ok {4}|warn {2})node/m) // Node 20 is warned of
    expect(process.exitCode).toBe(1)
  })
})

/** The GPU build with a GPU. */
const PROBE = {
  loaded: true,
  version: '2.21.0',
  gpu: true,
  devices: ['CPU:0', 'GPU:0', 'GPU:1'],
  tf32: false,
  libraries: '/x/2.21.0-gpu/lib',
} as const

describe('its checks', () => {
  it('say which devices compute steps, and which there are', () => {
    const statusAndDetail = (...args: Parameters<typeof checkDevices>) => {
      const { status, detail } = checkDevices(...args)
      return `${status} ${detail}`
    }
    expect(statusAndDetail('auto', PROBE)).toMatch(/^ok steps on GPU:0, GPU:1, if .* there are CPU:0, GPU:0, GPU:1$/)
    expect(statusAndDetail(['GPU:1'], PROBE)).toMatch(/^ok steps on GPU:1; there are/)
    expect(statusAndDetail(['GPU:2'], PROBE)).toBe('fail DEVICE_MISSING devices: GPU:2: there is GPU:0, GPU:1')
    expect(checkDevices('auto', { loaded: false, reason: 'gone' }).status).toBe('warn')
  })

  it('take Node 22 and 24, and say of 20 that its life is over', () => {
    const statusOf = (version: string) => checkNode(version).status
    expect(['22.3.0', '24.0.0'].map(statusOf)).toEqual(['ok', 'ok'])
    expect(['18.20.0', '21.0.0', '23.0.0', '25.0.0'].map(statusOf)).toEqual(['fail', 'fail', 'fail', 'fail'])
    expect(['20.14.1', '22.1.0'].map(statusOf)).toEqual(['fail', 'fail'])
    expect(checkNode('20.20.2')).toMatchObject({ status: 'warn', detail: expect.stringContaining('end of life') })
  })

  it('look for the cache where set-up keeps it', async () => {
    expect((await checkCache(scratch)).status).toBe('ok')
    expect(await checkCache(join(scratch, 'none'))).toMatchObject({
      status: 'warn',
      remedy: expect.stringContaining('make setup'),
    })
  })

  it('find Kafka jars of any version', async () => {
    expect((await checkKafkaJars(scratch)).status).toBe('warn')
    mkdirSync(join(scratch, 'kafka', '4.0.0', 'libs'), { recursive: true })
    writeFileSync(join(scratch, 'kafka', '4.0.0', 'libs', 'kafka.jar'), '')
    expect(await checkKafkaJars(scratch)).toMatchObject({ status: 'ok', detail: expect.stringContaining('4.0.0') })
  })

  it('measure free space at the nearest directory that exists', async () => {
    expect((await checkDisk(join(scratch, 'a', 'b'))).detail).toMatch(/^\d+\.\d GiB free at .*bcod-doctor-/)
  })

  it('warn of a low limit of open files', async () => {
    const limits = join(scratch, 'limits')
    writeFileSync(
      limits,
      'Limit  Soft Limit  Hard Limit  Units\nMax open files            256                  4096   files\n',
    )
    expect(await checkOpenFiles(limits)).toMatchObject({ status: 'warn', detail: 'limit 256' })
    expect((await checkOpenFiles()).status).toMatch(/ok|warn/)
  })

  it('warn of bf16 on a processor without it only where bf16 is asked for', async () => {
    const cpuinfo = join(scratch, 'cpuinfo')
    writeFileSync(cpuinfo, 'processor : 0\nflags\t\t: fpu avx2 avx512f\n')
    expect((await checkBf16('f32', cpuinfo)).status).toBe('ok')
    expect((await checkBf16('bf16', cpuinfo)).status).toBe('warn')
    writeFileSync(cpuinfo, 'flags\t\t: fpu avx512_bf16 amx_bf16\n')
    expect(await checkBf16('bf16', cpuinfo)).toMatchObject({
      status: 'ok',
      detail: expect.stringContaining('amx_bf16'),
    })
  })

  it('say what to do when TensorFlow does not load', () => {
    const finding = checkTensorFlow({ loaded: false, reason: 'libtensorflow.so.2: cannot open shared object file' })
    expect(finding).toMatchObject({ status: 'fail', remedy: expect.stringContaining('make setup') })
  })

  it('ask nothing of a machine that has neither a GPU nor the build for one', async () => {
    const findings = await checkGpu({ ...PROBE, gpu: false, libraries: '/x/2.21.0-cpu/lib' }, { devices: scratch })
    expect(findings).toEqual([expect.objectContaining({ name: 'gpu', status: 'ok' })])
  })

  it('tell the build for a CPU beside a GPU, whichever of the GPUs a container sees', async () => {
    writeFileSync(join(scratch, 'nvidia3'), '')
    const probe = { ...PROBE, gpu: false, libraries: '/x/2.21.0-cpu/lib' }
    const [gpu, ...others] = await checkGpu(probe, { devices: scratch })
    expect(gpu).toMatchObject({ status: 'warn', remedy: expect.stringContaining('BCOD_TF=gpu') })
    expect(others).toEqual([])
  })

  it('name the libraries of the driver, without which TensorFlow registers no GPU and says nothing', async () => {
    const machine = { devices: scratch, env: {}, loader: new Set(['libcudart.so.12']) }
    const [gpu] = await checkGpu({ ...PROBE, gpu: false }, machine)
    expect(gpu).toMatchObject({ status: 'warn', remedy: expect.stringContaining('NVIDIA_DRIVER_CAPABILITIES') })
    expect(gpu!.detail).toContain('libcuda.so.1, libnvidia-ml.so.1, libcublas.so.12')
  })

  it('look for ptxas and libdevice where XLA does', async () => {
    const compiler = async (machine: { env: NodeJS.ProcessEnv }) =>
      (await checkGpu(PROBE, { ...machine, toolkits: [] })).find(({ name }) => name === 'gpu compiler')!
    expect(await compiler({ env: { PATH: scratch } })).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('ptxas and libdevice.10.bc'),
      remedy: expect.stringContaining('XLA_FLAGS=--xla_gpu_cuda_data_dir='),
    })
    writeFileSync(join(scratch, 'ptxas'), '')
    expect((await compiler({ env: { PATH: scratch } })).detail).toMatch(/does not find libdevice/)
    mkdirSync(join(scratch, 'nvvm', 'libdevice'), { recursive: true })
    writeFileSync(join(scratch, 'nvvm', 'libdevice', 'libdevice.10.bc'), '')
    const flags = `--xla_gpu_autotune_level=0 --xla_gpu_cuda_data_dir=${scratch}`
    expect(await compiler({ env: { PATH: scratch, XLA_FLAGS: flags } })).toMatchObject({ status: 'ok' })
  })

  it('say whether f32 is multiplied in TF32, and that nothing trains if it cannot be switched', async () => {
    const tf32 = async (tf32: boolean | null) => (await checkGpu({ ...PROBE, tf32 })).at(-1)!
    expect(await tf32(false)).toMatchObject({ name: 'tf32', status: 'ok', detail: expect.stringMatching(/^off/) })
    expect(await tf32(true)).toMatchObject({ name: 'tf32', status: 'ok', detail: expect.stringMatching(/^on/) })
    expect(await tf32(null)).toMatchObject({ status: 'fail', remedy: 'Run make setup.' })
  })

  it('name the CUDA libraries that are nowhere to be found', async () => {
    const wheel = join(scratch, 'nvidia', 'cudnn', 'lib')
    const onPath = join(scratch, 'cuda')
    for (const directory of [wheel, onPath, join(scratch, 'lib')]) mkdirSync(directory, { recursive: true })
    const before = await missingCudaLibraries(join(scratch, 'lib'), onPath)
    writeFileSync(join(wheel, 'libcudnn.so.9'), '')
    writeFileSync(join(onPath, 'libcublas.so.12'), '')
    const after = await missingCudaLibraries(join(scratch, 'lib'), onPath)
    expect(after).toEqual(before.filter((name) => name !== 'libcudnn.so.9' && name !== 'libcublas.so.12'))
    expect(after).not.toContain('libcudnn.so.9')
  })
})
