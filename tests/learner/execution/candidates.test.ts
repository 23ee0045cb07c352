import { expect, test } from 'vitest'
import { candidates, type WantedExecution } from '../../../src/learner/execution/candidates.js'
import { thisMachine } from '../../../src/learner/execution/machine.js'

const AUTO: WantedExecution & { dtype: 'f32' | 'bf16' } = {
  ...{ executor: 'auto', kernels: 'auto', threads: 0, interOpThreads: 0, dtype: 'f32' },
}
/** Hyper-threads: as many as this process may use, since the rule takes all of them. */
const THREADS = thisMachine().threads
const PAIRED = { threads: THREADS, threadsPerCore: 2 }
const tried = (wanted: Partial<typeof AUTO>, environment: NodeJS.ProcessEnv = {}) =>
  candidates({ ...AUTO, threads: 4, ...wanted }, { threads: 4, threadsPerCore: 1 }, environment)

test('the rule’s comes first, and every other differs from it in one thing', () => {
  const [rule, ...others] = tried({})
  expect(rule).toEqual({ executor: 'graph', kernels: 'onednn', threads: 4, interOpThreads: 4 })
  expect(others).toEqual([
    { ...rule, executor: 'xla' },
    { ...rule, kernels: 'eigen' },
    { ...rule, interOpThreads: 1 },
  ])
})

test('what is set stays: by the configuration, or for the kernels by the environment', () => {
  for (const { executor } of tried({ executor: 'graph' })) expect(executor).toBe('graph')
  for (const { kernels } of tried({ kernels: 'eigen' })) expect(kernels).toBe('eigen')
  for (const { interOpThreads } of tried({ interOpThreads: 3 })) expect(interOpThreads).toBe(3)
  for (const { kernels } of tried({}, { TF_ENABLE_ONEDNN_OPTS: '0' })) expect(kernels).toBe('eigen')
  for (const { kernels } of tried({}, { TF_ENABLE_ONEDNN_OPTS: '1' })) expect(kernels).toBe('onednn')
  expect(tried({ executor: 'graph', kernels: 'onednn', interOpThreads: 4 })).toHaveLength(1)
})

test('XLA has products of its own, and bf16 none of Eigen’s that are worth a trial', () => {
  expect(tried({ executor: 'xla' }).map(({ kernels }) => kernels)).not.toContain('eigen')
  expect(tried({ dtype: 'bf16' }).map(({ kernels }) => kernels)).not.toContain('eigen')
})

test.runIf(THREADS > 1)('where two threads share a core and their number is open, one for each core is tried', () => {
  const cores = Math.floor(THREADS / 2)
  const fewer = (wanted: Partial<typeof AUTO>) => candidates({ ...AUTO, ...wanted }, PAIRED, {}).at(-1)!.threads
  expect(fewer({})).toBe(cores)
  expect(fewer({ threads: THREADS })).toBe(THREADS)
})

test('one thread leaves nothing to try between operations', () => {
  for (const { threads, interOpThreads } of tried({ threads: 1 })) expect([threads, interOpThreads]).toEqual([1, 1])
})

test('with several places on the CPU, every way has threads for all of them', () => {
  for (const { interOpThreads } of tried({ places: 2, threads: 1 })) expect(interOpThreads).toBe(3)
  for (const { interOpThreads } of tried({ places: 2 })) expect(interOpThreads).toBe(4)
  for (const { interOpThreads } of tried({ places: 4 })) expect(interOpThreads).toBe(5)
})

test('Linux says what the processor is, which instructions it has, and how many threads share a core', () => {
  const xeon = [
    ...['model name\t: Intel(R) Xeon(R) Gold 6338', 'siblings\t: 64', 'cpu cores\t: 32'],
    'flags\t\t: fpu sse2 fma avx2 avx512f avx512_vnni ht',
  ]
  expect(thisMachine(xeon.join('\n'))).toMatchObject({
    processor: 'Intel(R) Xeon(R) Gold 6338',
    instructions: ['avx2', 'avx512_vnni', 'avx512f', 'fma'],
    threadsPerCore: 2,
  })
  expect(thisMachine('').threadsPerCore).toBe(1)
})
