import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { checkKafkaJars } from '../../src/cli/doctor/kafka.js'
import { checkCache, checkDisk, checkNode, checkOpenFiles } from '../../src/cli/doctor/machine.js'
import { checkBf16, checkGpu, checkTensorFlow, missingCudaLibraries } from '../../src/cli/doctor/tensorflow.js'
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
    for (const check of report.checks) expect(Object.keys(check)).toEqual(['name', 'status', 'detail', 'remedy'])
  })

  it('tells a wrong configuration as one failed check, and exits 1', async () => {
    const text = await stdoutOf(doctorCommand(), '--set', 'batch.size=0')
    expect(text).toMatch(/^fail {2}config .*CONFIG_INVALID batch\.size/m)
    expect(text).toMatch(/^(ok {4}|warn {2})node/m) // Node 20 is warned of
    expect(process.exitCode).toBe(1)
  })
})

describe('its checks', () => {
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

  it('have nothing against a machine without a GPU, or with one in use', async () => {
    const probe = { loaded: true, version: '2.21.0', gpu: true, libraries: '/x/2.21.0-gpu/lib' } as const
    expect((await checkGpu(probe)).status).toBe('ok')
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
