import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { tf } from '../../src/engine/tensorflow.js'

const require = createRequire(import.meta.url)

/** Names of `util` that the package's compiled code calls: `(0, util_1.isArray)(…)`. */
function namesInUse(): readonly string[] {
  const folder = join(dirname(require.resolve('@tensorflow/tfjs-node-gpu/package.json')), 'dist')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  const sources = files.filter((file) => file.endsWith('.js') && !file.endsWith('_test.js'))
  const calls = sources.flatMap((file) => [
    ...readFileSync(join(folder, file), 'utf8').matchAll(
      /\butil(?:_1)?\)?\.(is[A-Z]\w*|promisify|inherits|_extend)\b/g,
    ),
  ])
  return [...new Set(calls.map(([, name]) => name!))].sort()
}

test('what the package calls of `util` is there under every Node', () => {
  const names = namesInUse()
  expect(names).toEqual(['isArray', 'isNullOrUndefined', 'promisify'])
  const shared = require('node:util') as Record<string, unknown>
  for (const name of names) expect(typeof shared[name], name).toBe('function')
})

test('and does what it did, told by its documentation', () => {
  const { isArray, isNullOrUndefined } = require('node:util') as Record<string, (value: unknown) => boolean>
  expect([[], [1]].map((value) => isArray!(value))).toEqual([true, true])
  expect([{ length: 0 }, 'a', null].map((value) => isArray!(value))).toEqual([false, false, false])
  expect([null, undefined].map((value) => isNullOrUndefined!(value))).toEqual([true, true])
  expect([0, '', false, Number.NaN].map((value) => isNullOrUndefined!(value))).toEqual([false, false, false, false])
})

test('the kernels that call it run: top k, and lists of tensors', () => {
  tf.tidy(() => {
    const { values, indices } = tf.topk(tf.tensor1d([3, 9, 4]), 2)
    expect([...values.dataSync()]).toEqual([9, 4])
    expect([...indices.dataSync()]).toEqual([1, 2])
    expect([...tf.concat([tf.tensor1d([1]), tf.tensor1d([2])]).dataSync()]).toEqual([1, 2])
  })
})
