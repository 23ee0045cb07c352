import { describe, expect, test } from 'vitest'
import { type CompiledFor, cacheFlags, compilationFolder, keepCompiled } from '../../src/engine/compilation-cache.js'

const H100: CompiledFor = { gpus: ['NVIDIA H100 80GB HBM3 9.0'], library: '1 2', xlaFlags: '', tf32: false }

describe('the folder of what XLA has compiled', () => {
  test('is the same under the same circumstances, and names the GPU', () => {
    expect(compilationFolder(H100)).toBe(compilationFolder({ ...H100 }))
    expect(compilationFolder(H100)).toMatch(/^xla-NVIDIA-H100-80GB-HBM3-9\.0-[0-9a-f]{12}$/)
  })

  test.each<Partial<CompiledFor>>([
    { gpus: ['NVIDIA H200 9.0'] },
    { gpus: [...H100.gpus, 'NVIDIA A100-SXM4-80GB 8.0'] },
    { library: '1 3' },
    { xlaFlags: '--xla_gpu_deterministic_ops=false' },
    { tf32: true },
  ])('is another one with %o', (other) => {
    expect(compilationFolder({ ...H100, ...other })).not.toBe(compilationFolder(H100))
  })
})

test('TensorFlow is told of the folder for a GPU alone, and what an operator has set comes last', () => {
  const own = '--tf_xla_persistent_cache_directory="/state/a b" --tf_xla_persistent_cache_device_types=GPU'
  expect(cacheFlags('/state/a b')).toBe(own)
  expect(cacheFlags('/state/a b', '--tf_xla_min_cluster_size=2')).toBe(`${own} --tf_xla_min_cluster_size=2`)
})

test('nothing is kept without a directory, nor over a directory that an operator has set', () => {
  const before = process.env.TF_XLA_FLAGS
  expect(keepCompiled(null, { tf32: false })).toBeNull()
  process.env.TF_XLA_FLAGS = '--tf_xla_persistent_cache_directory=/mine'
  try {
    expect(keepCompiled('/nowhere', { tf32: false })).toBeNull()
    expect(process.env.TF_XLA_FLAGS).toBe('--tf_xla_persistent_cache_directory=/mine')
  } finally {
    if (before === undefined) delete process.env.TF_XLA_FLAGS
    else process.env.TF_XLA_FLAGS = before
  }
})
