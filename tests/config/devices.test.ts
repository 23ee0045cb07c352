import { expect, it } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { cpuPlaces, onlyCpus, parseDevice, workersOf } from '../../src/config/devices.js'
import { refusal, scratchFile } from './scratch.js'

const load = (...set: string[]) => loadConfig({ env: {}, set })

it('devices are auto, or names in their order, from a file, a variable or a flag', () => {
  expect(load().devices).toBe('auto')
  expect(load('devices=["GPU:1", "GPU:0"]').devices).toEqual(['GPU:1', 'GPU:0'])
  expect(load('devices=["CPU:0", "CPU:0"]').devices).toEqual(['CPU:0', 'CPU:0'])
  expect(loadConfig({ env: { BCOD_DEVICES: 'CPU:0, CPU:1' } }).devices).toEqual(['CPU:0', 'CPU:1'])
  expect(loadConfig({ env: { BCOD_DEVICES: 'auto' } }).devices).toBe('auto')
  const file = (text: string) => loadConfig({ env: {}, file: scratchFile('bcod.yaml', text) }).devices
  expect(file('devices: auto\n')).toBe('auto')
  expect(file('devices: [GPU:0, GPU:2]\n')).toEqual(['GPU:0', 'GPU:2'])
})

it('a name has a kind and a number, and before them perhaps a worker', () => {
  expect(parseDevice('GPU:12')).toEqual({ kind: 'GPU', index: 12, worker: null })
  const worker = 'worker-0.bcod-workers:2222'
  for (const each of [worker, '10.0.0.7:2222', '[fd00::7]:2222'])
    expect(parseDevice(`${each}/GPU:0`)).toEqual({ kind: 'GPU', index: 0, worker: each })
  for (const text of ['', 'gpu:0', 'GPU', 'GPU:', 'GPU:01', 'GPU:-1', 'TPU:0', 'host/GPU:0', 'a:1/b:2/GPU:0'])
    expect(parseDevice(text)).toBeNull()
})

it('workers are named once each, whatever they have', () => {
  expect(workersOf('auto')).toEqual([])
  expect(workersOf(['GPU:0', 'b:1/GPU:0', 'a:1/GPU:0', 'b:1/GPU:1'])).toEqual(['b:1', 'a:1'])
})

it('devices of workers need an address at which they reach the daemon', () => {
  const devices = 'devices=["CPU:0", "worker-0:2222/CPU:0"]'
  expect(refusal(() => load(devices))).toMatchObject({ code: 'CONFIG_INVALID', place: 'leader.address' })
  expect(load(devices, 'leader.address=10.0.0.6').devices).toEqual(['CPU:0', 'worker-0:2222/CPU:0'])
})

it('whether GPUs are left alone follows from the names', () => {
  expect([['CPU:0'], ['CPU:0', 'CPU:1'], ['GPU:0'], 'auto' as const].map(onlyCpus)).toEqual([true, true, false, false])
})

it.each([
  ['devices=[]', 'expected auto, or a non-empty list'],
  ['devices=["GPU:0", "gpu:1"]', 'expected devices such as GPU:0, CPU:0 or HOST:PORT/GPU:0, got "gpu:1"'],
  ['devices=["GPU:0", "CPU:0"]', 'expected GPUs alone or CPUs alone'],
  ['devices=["worker-0:2222/GPU:0", "GPU:0"]', 'worker-0:2222/GPU:0: expected a device of this machine first'],
  ['devices=["CPU:0", "CPU:1", "worker-0:2222/CPU:0"]', 'CPU:1: expected CPU:0; beside workers'],
  ['devices=["CPU:0", "worker-0:2222/GPU:0"]', 'expected GPUs alone or CPUs alone'],
])('%s is refused', (set, text) => {
  const { code, place, message, remedy } = refusal(() => load(set, 'leader.address=127.0.0.1'))
  expect([code, place]).toEqual(['CONFIG_INVALID', 'devices'])
  expect(message).toContain(text)
  expect(remedy).toContain('bcod config explain')
})

it('operations of every place on the CPU need a thread, and one more', () => {
  const two = 'devices=["CPU:0", "CPU:0"]'
  for (const threads of [0, 3, 8]) expect(load(two, `model.interOpThreads=${threads}`).devices).toHaveLength(2)
  for (const threads of [1, 2]) {
    const { code, place, message } = refusal(() => load(two, `model.interOpThreads=${threads}`))
    expect([code, place]).toEqual(['CONFIG_INVALID', 'model.interOpThreads'])
    expect(message).toContain('expected more than the 2 places on the CPU, or 0')
  }
  expect(load('devices=["CPU:0"]', 'model.interOpThreads=1').model.interOpThreads).toBe(1)
  expect([['CPU:0'], ['CPU:0', 'CPU:0'], ['GPU:0', 'GPU:0'], 'auto' as const].map(cpuPlaces)).toEqual([1, 2, 0, 1])
})

it('stages are devices in a row', () => {
  expect(load('model.stages=2', 'devices=["GPU:0", "GPU:1", "GPU:0", "GPU:1"]').model.stages).toBe(2)
  const { code, place, message } = refusal(() => load('model.stages=2', 'devices=["GPU:0", "GPU:1", "GPU:2"]'))
  expect([code, place]).toEqual(['CONFIG_INVALID', 'devices'])
  expect(message).toContain('expected 2 devices for each place (model.stages), got 3')
})
