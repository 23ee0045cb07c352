import { expect, test } from 'vitest'
import { chooseExecutor, xlaFlags } from '../../src/engine/environment.js'

test('auto is XLA on a GPU and TensorFlow’s own kernels on a CPU; what is set is taken on both', () => {
  const chosen = (wanted: 'auto' | 'graph' | 'xla') => [false, true].map((gpu) => chooseExecutor(wanted, gpu).executor)
  expect(chosen('auto')).toEqual(['graph', 'xla'])
  expect(chosen('graph')).toEqual(['graph', 'graph'])
  expect(chosen('xla')).toEqual(['xla', 'xla'])
})

test('XLA’s kernels for a GPU repeat themselves, unless an operator says otherwise', () => {
  expect(xlaFlags()).toBe('--xla_gpu_deterministic_ops=true')
  expect(xlaFlags('--xla_dump_to=/tmp')).toBe('--xla_gpu_deterministic_ops=true --xla_dump_to=/tmp')
  const own = '--xla_gpu_deterministic_ops=false'
  expect([own, xlaFlags()].map((flags) => xlaFlags(flags))).toEqual([own, xlaFlags()])
})
