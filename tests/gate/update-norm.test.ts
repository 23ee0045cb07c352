import { describe, expect, it } from 'vitest'
import type { Adapter, AdapterTensor } from '../../src/adapters/weights/adapter.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { updateNormCheck } from '../../src/gate/update-norm.js'
import { adapterOf, subjectOf, versionOf } from './subject.js'

const run = (adapter: Adapter, norms: Readonly<Record<string, number>>, bound = 1) =>
  updateNormCheck(bound).run(
    subjectOf(
      { weightNorms: async (modules) => modules.map((module) => norms[module]!) },
      { candidate: versionOf('v00000020', adapter) },
    ),
  )

/** ‖scale · B A‖ by the product itself. */
function plainNorm({ shape, data: a }: AdapterTensor, { data: b }: AdapterTensor, scale: number): number {
  const [r, width] = shape as [number, number]
  let sum = 0
  for (let row = 0; row < b.length / r; row++)
    for (let column = 0; column < width; column++) {
      let entry = 0
      for (let k = 0; k < r; k++) entry += b[row * r + k]! * a[k * width + column]!
      sum += (scale * entry) ** 2
    }
  return Math.sqrt(sum)
}

describe('the update norm', () => {
  it('is that of the largest update relative to its weight', async () => {
    // B A = [[3, 4], [0, 0]] · 2 and [[1, 0], [0, 1]], scaled by alpha / r
    const adapter = adapterOf(
      {
        q_proj: {
          a: [
            [3, 4],
            [0, 0],
          ],
          b: [
            [2, 7],
            [0, 5],
          ],
        },
        v_proj: {
          a: [
            [1, 0],
            [0, 1],
          ],
          b: [
            [1, 0],
            [0, 1],
          ],
        },
      },
      { alpha: 4 },
    )
    const found = await run(adapter, { q_proj: 40, v_proj: 20 }, 0.5)
    expect(found).toMatchObject({ outcome: 'passed', value: 0.5, bound: 0.5, detail: 'largest in q_proj' })
    expect(await run(adapter, { q_proj: 39, v_proj: 20 }, 0.5)).toMatchObject({ outcome: 'refused' })
  })

  it('has the scale of rank-stabilised LoRA where that is on', async () => {
    const adapter = adapterOf(
      {
        q_proj: {
          a: [
            [3, 4],
            [0, 0],
          ],
          b: [
            [1, 0],
            [0, 0],
          ],
        },
      },
      { alpha: 4, rslora: true },
    )
    expect((await run(adapter, { q_proj: 1 }, 100)).value).toBeCloseTo((5 * 4) / Math.sqrt(2), 12)
  })

  it('of an adapter that PEFT wrote is that of the product of its matrices', async () => {
    const adapter = readAdapter('tests/golden/peft_adapter')
    const wanted = [...adapter.tensors].flatMap(([name, a]) => {
      if (!name.endsWith('lora_A.weight')) return []
      const b = adapter.tensors.get(name.replace('lora_A', 'lora_B'))!
      return [
        [
          name.slice('base_model.model.'.length, -'.lora_A.weight'.length),
          plainNorm(a, b, adapter.alpha / adapter.r),
        ] as const,
      ]
    })
    const norms = Object.fromEntries(wanted.map(([module]) => [module, 1]))
    const found = await run(adapter, norms, 1e9)
    expect(found.value).toBeCloseTo(Math.max(...wanted.map(([, norm]) => norm)), 6)
  })

  it('of zero matrices is 0, and one that is not a number is refused', async () => {
    const zero = adapterOf({ q_proj: { a: [[1, 2]], b: [[0], [0]] } })
    expect(await run(zero, { q_proj: 1 })).toMatchObject({ outcome: 'passed', value: 0 })
    const spoilt = adapterOf({ q_proj: { a: [[1, 2]], b: [[Number.NaN], [0]] } })
    expect(await run(spoilt, { q_proj: 1 })).toMatchObject({ outcome: 'refused', value: null })
  })
})
