import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  type CompiledFor,
  cacheFlags,
  compilationFolder,
  compiledFolder,
  enterCompiled,
  keepCompiled,
  removeUnfinished,
} from '../../src/engine/compilation-cache.js'

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
  expect(cacheFlags('/state/a b', { given: '--tf_xla_min_cluster_size=2' })).toBe(`${own} --tf_xla_min_cluster_size=2`)
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

describe('a start', () => {
  let folder = ''
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'bcod-compiled-'))
    writeFileSync(join(folder, 'first.pb'), 'program')
    enterCompiled(folder)
  })
  afterEach(() => rmSync(folder, { recursive: true }))
  const programs = () => readdirSync(folder).filter((name) => name.endsWith('.pb'))

  test('keeps what was written whole, also what came later', () => {
    writeFileSync(join(folder, 'second.pb'), 'another')
    enterCompiled(folder)
    removeUnfinished(folder)
    expect(programs()).toEqual(['first.pb', 'second.pb'])
  })

  test('removes what a crash has cut short', () => {
    writeFileSync(join(folder, 'second.pb'), 'anot')
    removeUnfinished(folder)
    expect(programs()).toEqual(['first.pb'])
  })

  test('removes what has changed since', () => {
    truncateSync(join(folder, 'first.pb'), 3)
    removeUnfinished(folder)
    expect(programs()).toEqual([])
    // made again, it is kept
    writeFileSync(join(folder, 'first.pb'), 'program')
    enterCompiled(folder)
    removeUnfinished(folder)
    expect(programs()).toEqual(['first.pb'])
  })

  test('keeps nothing without an index, or with one that cannot be read', () => {
    writeFileSync(join(folder, 'index.json'), readFileSync(join(folder, 'index.json')).subarray(0, 5))
    removeUnfinished(folder)
    expect(programs()).toEqual([])
  })
})

test('the folder is read back as it was written, and one of an operator is not ours', () => {
  const before = process.env.TF_XLA_FLAGS
  try {
    process.env.TF_XLA_FLAGS = cacheFlags('/state/a "b"', { readOnly: true })
    expect(compiledFolder()).toBe('/state/a "b"')
    process.env.TF_XLA_FLAGS = '--tf_xla_persistent_cache_directory=/mine'
    expect(compiledFolder()).toBeNull()
  } finally {
    if (before === undefined) delete process.env.TF_XLA_FLAGS
    else process.env.TF_XLA_FLAGS = before
  }
})
