import { expect, test } from 'vitest'
import { FunctionLibrary } from '../../src/engine/index.js'
import { programName, traceApply } from '../../src/learner/programs.js'
import { ShapePrograms } from '../../src/learner/shape-programs.js'
import { parseArchitecture } from '../../src/model/architecture.js'
import { LanguageModel } from '../../src/model/language-model.js'
import { LINEAR_LAYERS } from '../../src/model/parameters.js'
import { type Operations, operationsOf } from '../support/operations.js'
import { ADAMW } from '../support/optimizer.js'

/**
 * What a step asks of a device has to be given out by the host, call by call. These are bounds, so that it cannot grow
 * unseen; lower one if a change has made do with less. `node bench/launches.mjs` counts what becomes of it on a GPU.
 */
const LAYERS = 3
const EVENTS = 8
const model = new LanguageModel(
  parseArchitecture(
    {
      architectures: ['LlamaForCausalLM'],
      ...{ model_type: 'llama', hidden_act: 'silu', tie_word_embeddings: true, vocab_size: 64 },
      ...{ hidden_size: 32, intermediate_size: 64, num_hidden_layers: LAYERS },
      ...{ num_attention_heads: 4, num_key_value_heads: 2, max_position_embeddings: 1024 },
      ...{ rms_norm_eps: 1e-5, rope_theta: 10_000 },
    },
    'model',
  ),
  'f32',
  { r: 4, alpha: 8, rslora: false, targets: [...LINEAR_LAYERS] },
)
/** 512 tokens: whole sequences in rows of 256, and trees in one row. */
const rows = { tokens: 512, sequences: EVENTS, rows: 3, length: 256, longest: 256 }
const trees = { tokens: 512, sequences: EVENTS, rows: 1, length: 512, longest: 256 }

const library = new FunctionLibrary()
const programs = new ShapePrograms(library, { model, beta: 0.1, referenceLora: null, gradientCheckpointing: false })
for (const shape of [rows, trees]) for (const kind of ['prepare', 'accumulate'] as const) programs.trace(kind, shape)
traceApply(library, model, { ...ADAMW, lr: 1e-4, clipNorm: 1 })

test.each([
  ['prepare', rows, { products: 28, compiled: 18, choices: 4, others: 143 }],
  ['accumulate', rows, { products: 116, compiled: 36, choices: 4, others: 426 }],
  ['prepare', trees, { products: 40, compiled: 24, choices: 13, others: 216 }],
  ['accumulate', trees, { products: 164, compiled: 60, choices: 22, others: 655 }],
] as const)('%s over %o asks for no more than it did', (kind, shape, bound) => {
  const found = operationsOf(library, programName(kind, shape), LAYERS)
  expect(exceeding(found, bound)).toEqual({})
})

test('apply asks for no more than it did, however many matrices there are', () => {
  expect(
    exceeding(operationsOf(library, 'apply', LAYERS), { products: 0, compiled: 0, choices: 0, others: 54 }),
  ).toEqual({})
})

/** What is above its bound. */
const exceeding = (found: Operations, bound: Operations) =>
  Object.fromEntries(Object.entries(found).filter(([key, count]) => count > bound[key as keyof Operations]))
