import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import type { Execution } from '../../../src/learner/execution/candidates.js'
import {
  asBegun,
  type ChoiceOptions,
  chooseExecution,
  foreseeExecution,
} from '../../../src/learner/execution/choice.js'
import { temporaryDirectory } from '../../support/checkpoints.js'

const MACHINE = { processor: 'a processor', instructions: ['avx2'], threads: 4, threadsPerCore: 1 }

/** A model directory of the width of SmolLM2-135M; nobody reads its weights. */
function model(directory: string): string {
  const path = join(directory, 'model')
  mkdirSync(path)
  const widths = { hidden_size: 576, intermediate_size: 1536, num_attention_heads: 9, num_key_value_heads: 3 }
  const config = { architectures: ['LlamaForCausalLM'], ...widths, num_hidden_layers: 30, vocab_size: 49_152 }
  writeFileSync(join(path, 'config.json'), JSON.stringify(config))
  return path
}

function place(...set: readonly string[]) {
  const directory = temporaryDirectory()
  const all = [`model.path=${model(directory)}`, 'model.threads=4', ...set]
  const config = loadConfig({ env: {}, set: all })
  const runs: (readonly Execution[])[] = []
  const options: ChoiceOptions = {
    ...{ machine: MACHINE, environment: {}, cache: join(directory, 'cache') },
    // XLA takes half the time, all others that of the rule
    run: async (_, executions) => {
      runs.push(executions)
      return executions.map((execution, i) => ({
        execution,
        rounds: i === 0 ? [] : [{ ms: execution.executor === 'xla' ? 5 : 10, ruleMs: 10 }],
      }))
    },
  }
  return { config, runs, options, cache: join(directory, 'cache', 'measured') }
}

describe('the choice of how programs run', () => {
  it('is the fastest that was measured, and says so', async () => {
    const { config, options } = place()
    const { settings, ...choice } = await chooseExecution(config, options)
    expect(choice).toMatchObject({
      source: 'measured',
      reason: expect.stringMatching(/^measured: 50 % less time than/),
    })
    expect(settings).toEqual({ executor: 'xla', kernels: 'onednn', threads: 4, interOpThreads: 4, measure: false })
    expect(choice.trials.map(({ ratio }) => ratio)).toEqual([1, 0.5, 1, 1])
  })

  it('is measured once on a machine: the next start and `doctor` know it', async () => {
    const { config, options, runs } = place()
    expect(foreseeExecution(config, options)).toBeNull()
    const first = await chooseExecution(config, options)
    expect(await chooseExecution(config, options)).toEqual(first)
    expect(foreseeExecution(config, options)).toEqual(first)
    expect(runs).toHaveLength(1)
  })

  it.each([
    ['another processor', { machine: { ...MACHINE, instructions: ['avx2', 'avx512f'] } }],
    ['other kernels in the environment', { environment: { TF_ENABLE_ONEDNN_OPTS: '0' } }],
  ])('is measured again for %s', async (_, other) => {
    const { config, options, runs } = place()
    await chooseExecution(config, options)
    await chooseExecution(config, { ...options, ...other })
    expect(runs).toHaveLength(2)
  })

  it('is measured again where what was kept cannot be read', async () => {
    const { config, options, runs, cache } = place()
    await chooseExecution(config, options)
    for (const name of readdirSync(cache)) writeFileSync(join(cache, name), '{"key":')
    await chooseExecution(config, options)
    expect(runs).toHaveLength(2)
  })

  it('leaves alone what the operator has set', async () => {
    const { config, options, runs } = place('model.executor=graph')
    expect((await chooseExecution(config, options)).settings.executor).toBe('graph')
    expect(runs[0]!.map(({ executor }) => executor)).toEqual(['graph', 'graph', 'graph'])
  })

  it.each([
    ['with model.measure=false', ['model.measure=false']],
    ['for a small model', ['model.path=tests/golden/tiny_llama']],
    ['if everything is set', ['model.executor=graph', 'model.kernels=onednn', 'model.interOpThreads=2']],
  ])('is not measured %s', async (_, set) => {
    const { config, options, runs } = place(...set)
    expect(await chooseExecution(config, options)).toMatchObject({ source: 'rule', settings: {} })
    expect(runs).toHaveLength(0)
  })

  it('is the rule’s on a GPU, and where trials fail; neither is kept', async () => {
    const { config, options } = place()
    const gpu = await chooseExecution(config, { ...options, run: async () => null })
    expect(gpu).toMatchObject({ source: 'rule', reason: expect.stringContaining('GPU'), settings: {} })
    const run: ChoiceOptions['run'] = async (_, all) => all.map((execution) => ({ execution, rounds: null }))
    expect(await chooseExecution(config, { ...options, run })).toMatchObject({ source: 'rule', settings: {} })
    expect(foreseeExecution(config, options)).toBeNull()
  })

  it('does without a cache that cannot be written', async () => {
    const { config, options } = place()
    const choice = await chooseExecution(config, { ...options, cache: 'package.json' })
    expect(choice.source).toBe('measured')
  })

  it('of a lineage is what it began with; older ones had what the rule gives', () => {
    const made = { executor: 'graph', kernels: 'eigen', threads: 2, interOpThreads: 1, dtype: 'f32', device: 'cpu' }
    expect(asBegun(made).settings).toEqual({
      ...{ executor: 'graph', kernels: 'eigen', threads: 2, interOpThreads: 1, measure: false },
    })
    const older = asBegun({ executor: 'xla', threads: 2, tf32: true })
    expect(older.settings).toEqual({
      ...{ executor: 'xla', kernels: 'auto', threads: 2, interOpThreads: 0, tf32: true, measure: false, stages: 1 },
    })
  })
})
