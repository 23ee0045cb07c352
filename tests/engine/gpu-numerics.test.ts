import { expect, test } from 'vitest'
import { gpuAddon } from '../../src/engine/gpu-addon.js'
import { prepareGpu } from '../../src/engine/index.js'

test('TensorFlow multiplies f32 in TF32 unless it is told otherwise, and can be told', () => {
  const numerics = gpuAddon()
  expect(numerics.tf32()).toBe(true)
  numerics.setTf32(false)
  expect(numerics.tf32()).toBe(false)
  numerics.setTf32(true)
  expect(numerics.tf32()).toBe(true)
})

test('a machine without a GPU keeps what it computes with', () => {
  prepareGpu({ tf32: false })
  expect(gpuAddon().tf32()).toBe(true)
})
