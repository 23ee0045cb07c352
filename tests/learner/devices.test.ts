import { expect, test } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { nameOf, resolveDevices } from '../../src/learner/devices.js'

const having = (gpus: number) => () => ['CPU:0', ...Array.from({ length: gpus }, (_, i) => `GPU:${i}`)]

test('auto is all GPUs; one alone, or none, is left to TensorFlow', () => {
  const names = [0, 1, 3].map((gpus) => resolveDevices('auto', having(gpus)).map(nameOf))
  expect(names).toEqual([[''], [''], ['GPU:0', 'GPU:1', 'GPU:2']])
})

test('a list is taken in its order; parts of the CPU are there as they are named', () => {
  const names = (wanted: readonly string[], gpus: number) => resolveDevices(wanted, having(gpus)).map(nameOf)
  for (const wanted of [
    ['GPU:2', 'GPU:0'],
    ['CPU:0', 'CPU:1'],
  ])
    expect(names(wanted, 3)).toEqual(wanted)
})

test('what a worker has is not looked for here', () => {
  expect(resolveDevices(['GPU:0', 'worker-0:2222/GPU:7'], having(1))).toEqual([
    { device: 'GPU:0', worker: null },
    { device: 'GPU:7', worker: 'worker-0:2222' },
  ])
})

test('stages take devices in a row, as many batches under way as stages; too few devices have several each', () => {
  const names = (gpus: number, stages: number) =>
    resolveDevices('auto', having(gpus), stages)
      .map(({ device }) => device.slice(-1))
      .join('')
  expect(names(2, 2)).toBe('0101')
  expect(names(5, 2)).toBe('01230123')
  expect(names(3, 4)).toBe('0012')
  expect(resolveDevices('auto', having(0), 2).map(nameOf)).toEqual(['', ''])
  expect(resolveDevices(['GPU:1', 'GPU:0'], having(2), 2).map(nameOf)).toEqual(['GPU:1', 'GPU:0'])
})

test.each([
  [0, 'GPU:0, GPU:2: there is no GPU'],
  [2, 'GPU:2: there is GPU:0, GPU:1'],
])('with %i GPUs, those that are not there are named', (gpus, text) => {
  let error: unknown
  try {
    resolveDevices(['GPU:0', 'GPU:2'], having(gpus))
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(BcodError)
  const { code, place, message, remedy } = error as BcodError
  expect([code, place, message]).toEqual(['DEVICE_MISSING', 'devices', text])
  expect(remedy).toContain('bcod doctor')
})
