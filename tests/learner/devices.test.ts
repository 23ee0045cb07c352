import { expect, test } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { resolveDevices } from '../../src/learner/devices.js'

const having = (gpus: number) => () => ['CPU:0', ...Array.from({ length: gpus }, (_, i) => `GPU:${i}`)]

test('auto is all GPUs; one alone, or none, is left to TensorFlow', () => {
  expect([0, 1, 3].map((gpus) => resolveDevices('auto', having(gpus)))).toEqual([
    [''],
    [''],
    ['/device:GPU:0', '/device:GPU:1', '/device:GPU:2'],
  ])
})

test('a list is taken in its order; parts of the CPU are there as they are named', () => {
  expect(resolveDevices(['GPU:2', 'GPU:0'], having(3))).toEqual(['/device:GPU:2', '/device:GPU:0'])
  expect(resolveDevices(['CPU:0', 'CPU:1'], having(0))).toEqual(['/device:CPU:0', '/device:CPU:1'])
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
