import { describe, expect, test } from 'vitest'
import { usefulFlops } from '../../../src/cli/bench/flops.js'
import { parseArchitecture } from '../../../src/model/architecture.js'

/** Width 2, MLP 3, two query heads and one key-value head of two channels, five words. */
const architecture = (layers: number) =>
  parseArchitecture(
    {
      architectures: ['LlamaForCausalLM'],
      hidden_size: 2,
      intermediate_size: 3,
      num_hidden_layers: layers,
      num_attention_heads: 2,
      num_key_value_heads: 1,
      head_dim: 2,
      vocab_size: 5,
    },
    'config.json',
  )

const ALL = ['q_proj', 'k_proj', 'v_proj', 'o_proj', 'gate_proj', 'up_proj', 'down_proj'] as const
const event = { prompt: 2, completion: 1 }

describe('one event of three tokens, one of them in the completion', () => {
  const { products, lora, attention, total } = usefulFlops(architecture(1), { r: 1, targets: ['q_proj'] }, [event])

  test('frozen matrices: two forward passes and one backward, at 2 operations a weight and position', () => {
    // forward 2 · 2 · 3 positions, backward 2 · 3 positions; logits forward 2 · 2 · 1, backward 2 · 1
    expect(new Map(products.map(({ input, output, flops }) => [`${input} to ${output}`, flops]))).toEqual(
      new Map([
        ['2 to 4', 12 * 8 + 6 * 8], // q forward, o backward
        ['4 to 2', 12 * 8 + 6 * 8], // o forward, q backward
        ['2 to 2', (12 + 6) * (4 + 4)], // k and v, each way
        ['2 to 3', 12 * (6 + 6) + 6 * 6], // gate and up forward, down backward
        ['3 to 2', 12 * 6 + 6 * (6 + 6)],
        ['2 to 5', 4 * 10], // logits
        ['5 to 2', 2 * 10],
      ]),
    )
  })

  test('LoRA: x A, its B, and for each of the two the gradient of the matrix and of what it multiplies', () => {
    expect(lora).toBe(3 * (2 * 3 * 2 * 1) + 3 * (2 * 3 * 1 * 4))
  })

  test('attention: 1 + 2 + 3 pairs a head; four products forward and four backward', () => {
    expect(attention).toBe((4 + 4) * 2 * (1 + 2 + 3) * 4)
  })

  test('the total is their sum', () => {
    expect(total).toBe(6 * 3 * 42 + 6 * 10 + 108 + 384)
  })
})

test('events add up, and layers count as often as there are; logits do not', () => {
  const lora = { r: 4, targets: ALL }
  const count = (layers: number, ...events: (typeof event)[]) => usefulFlops(architecture(layers), lora, events).total
  const other = { prompt: 5, completion: 4 }
  expect(count(1, event, other)).toBe(count(1, event) + count(1, other))
  const logits = 6 * 10
  expect(count(3, event) - logits).toBe(3 * (count(1, event) - logits))
})
