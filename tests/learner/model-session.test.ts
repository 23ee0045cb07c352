import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { ModelSession } from '../../src/learner/model-session.js'
import type { TokenPair } from '../../src/learner/token-trees.js'
import { loraFromAdapter } from '../../src/model/lora.js'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { relativeDistance } from '../support/compare.js'
import { loraOf } from '../support/lora.js'
import { ADAMW } from '../support/optimizer.js'
import { thorough } from '../support/thorough.js'

const OPTIMIZER = { ...ADAMW, weightDecay: 0.01, clipNorm: 1 }

interface ArchRow {
  prompt_tokens: number[]
  completion_tokens: number[]
  label: boolean
  policy_per_token: number[]
  ref_per_token: number[]
}
interface ArchCase {
  beta: number
  delta: number
  loss: number
  rows: ArchRow[]
}

describe.each(['llama3_scaled_untied', 'qwen2', 'qwen3'])('%s', (name) => {
  const golden = JSON.parse(readFileSync(`tests/golden/arch/${name}.json`, 'utf8')) as ArchCase
  const adapter = readAdapter(`tests/golden/arch/${name}_adapter`)
  const lora = loraOf(adapter)
  const events = golden.rows.map((row) => ({
    promptTokens: row.prompt_tokens,
    completionTokens: row.completion_tokens,
  }))
  const shape = { tokens: 64 * events.length, sequences: events.length, rows: events.length, length: 64, longest: 64 }

  // what a row of single tokens shares: every one of them begins as the one before it does
  const treeShape = { tokens: 64, sequences: 64, rows: 1, length: 64, longest: 64 }
  const tree = (some: readonly TokenPair[]) => ({ shape: treeShape, trees: [some.length] })
  const layout = (some: readonly TokenPair[]) => ({ shape, trees: some.map(() => 1) })

  // XLA compiles for most of a minute; the layer with most in it stands for the others
  test.each(name === 'qwen3' || thorough ? (['graph', 'xla'] as const) : (['graph'] as const))(
    'log-probs and gradients equal those of transformers and PEFT (%s)',
    (executor) => {
      const path = `tests/golden/arch/${name}`
      const loaded = new ModelSession({
        modelPath: path,
        dtype: 'f32',
        executor,
        lora,
        shapes: [shape, treeShape],
        optimizer: OPTIMIZER,
        beta: golden.beta,
        gradientCheckpointing: false,
        purposes: ['train', 'score'],
        decoder: null,
        givenDecoder: null,
        referenceLora: null,
      })
      const { session, model } = loaded
      session.write({ [model.lora.values.name]: loraFromAdapter(model.lora, lora, adapter, path) })
      golden.rows.forEach((row) => {
        // the log-probability of one token alone: everything before it is its prompt
        const single = row.completion_tokens.map((token, i) => ({
          promptTokens: [...row.prompt_tokens, ...row.completion_tokens.slice(0, i)],
          completionTokens: [token],
        }))
        const perToken = (logps: (events: typeof single) => readonly number[]) =>
          single.flatMap((each) => logps([each]))
        const reference = perToken((each) => loaded.reference.prepare(each, layout(each))().logps)
        const policy = perToken((each) => loaded.score(each, layout(each))())
        expect(relativeDistance(reference, row.ref_per_token)).toBeLessThan(1e-5)
        expect(relativeDistance(policy, row.policy_per_token)).toBeLessThan(1e-5)
        expect(
          relativeDistance(loaded.reference.prepare(single, tree(single))().logps, row.ref_per_token),
        ).toBeLessThan(1e-5)
        expect(relativeDistance(loaded.score(single, tree(single))(), row.policy_per_token)).toBeLessThan(1e-5)
      })
      const n = events.length
      const { loss } = loaded.accumulate(events, layout(events), {
        referenceLogps: loaded.reference.prepare(events, layout(events))().logps,
        labels: golden.rows.map((row) => row.label),
        coefficients: golden.rows.map(() => 1 / n),
        delta: golden.delta,
        first: true,
      })()
      expect(loss).toBeCloseTo(golden.loss, 5)
      const gradients = model.lora.views(session.read(model.lora.partGradients[0]!.name)[0] as Float32Array)
      const expected = openSafetensors(`tests/golden/arch/${name}_grads.safetensors`)
      expect([...gradients.keys()]).toEqual(expect.arrayContaining([...expected.names]))
      // the golden gradients here are f32 themselves: allow for both roundings
      for (const tensor of expected.names)
        expect(relativeDistance(gradients.get(tensor)!, expected.floats(tensor)), tensor).toBeLessThan(2e-5)
      expected.close()
      session.dispose()
    },
  )
})
