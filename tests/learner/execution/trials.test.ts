import { expect, test } from 'vitest'
import { loadConfig } from '../../../src/config/config.js'
import type { Execution } from '../../../src/learner/execution/candidates.js'
import { trialConfig } from '../../../src/learner/execution/trial-model.js'
import { runTrials } from '../../../src/learner/execution/trials.js'

const config = loadConfig({ env: {}, set: ['model.path=tests/golden/tiny_llama', 'limits.maxLength=64'] })
const ways: readonly Execution[] = [
  { executor: 'graph', kernels: 'onednn', threads: 1, interOpThreads: 1 },
  { executor: 'xla', kernels: 'eigen', threads: 2, interOpThreads: 2 },
]

test('every candidate runs in a process of its own, in turn with the rule’s', async () => {
  const trials = await runTrials(config, ways, new AbortController().signal)
  expect(trials!.map(({ execution }) => execution)).toEqual(ways)
  const [rule, other] = trials!.map(({ rounds }) => rounds!)
  expect(rule).toEqual([])
  expect(other!.length).toBeGreaterThan(0)
  for (const { ms, ruleMs } of other!) expect(Math.min(ms, ruleMs)).toBeGreaterThan(0)
})

test('if the rule’s cannot be run, nothing else is tried', async () => {
  const spoilt = { ...config, lora: { ...config.lora, targets: ['lm_head'] as never } }
  const trials = await runTrials(spoilt, ways, new AbortController().signal)
  expect(trials).toEqual(ways.map((execution) => ({ execution, rounds: null })))
})

test('a stop ends them', async () => {
  const trials = await runTrials(config, ways, AbortSignal.abort())
  expect(trials!.every(({ rounds }) => rounds === null)).toBe(true)
})

test('a trial’s model has the widths of the model, few layers, and the head in its proportion to them', () => {
  const widths = { hidden_size: 896, intermediate_size: 4864, num_attention_heads: 14, num_key_value_heads: 2 }
  const qwen = { architectures: ['Qwen2ForCausalLM'], ...widths, num_hidden_layers: 24, vocab_size: 151_936 }
  const types = Array.from({ length: 24 }, () => 'full_attention')
  expect(trialConfig({ ...qwen, layer_types: types }, 'config.json')).toEqual({
    ...{ ...qwen, num_hidden_layers: 2, vocab_size: 12_661, layer_types: types.slice(0, 2) },
  })
})
