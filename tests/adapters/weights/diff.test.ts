import { join } from 'node:path'
import { expect, it } from 'vitest'
import type { Adapter } from '../../../src/adapters/weights/adapter.js'
import { adapterDifference } from '../../../src/adapters/weights/diff.js'
import { writeAdapter } from '../../../src/adapters/weights/peft.js'
import { errorOf, temporaryDirectory } from '../../support/checkpoints.js'

/** An adapter on named modules, each with its A [r, in] and B [out, r]. */
function adapter(
  alpha: number,
  r: number,
  modules: Readonly<Record<string, readonly [number[], number[]]>>,
  rslora = false,
): string {
  const tensors = new Map(
    Object.entries(modules).flatMap(([module, [a, b]]) => [
      [`base_model.model.${module}.lora_A.weight`, { shape: [r, a.length / r], data: Float32Array.from(a) }] as const,
      [`base_model.model.${module}.lora_B.weight`, { shape: [b.length / r, r], data: Float32Array.from(b) }] as const,
    ]),
  )
  const made: Adapter = { r, alpha, rslora, targets: ['q'], baseModel: null, tensors }
  const directory = join(temporaryDirectory(), 'adapter')
  writeAdapter(directory, made)
  return directory
}

it('norms are those of what the adapters add to the weights, worked out by hand', async () => {
  // 2 · [1 2]ᵀ [3 4] = [[6 8] [12 16]] and 1 · [1 0]ᵀ [0 1] = [[0 1] [0 0]]; they differ by [[6 7] [12 16]]
  const one = adapter(2, 1, {
    'layers.0.q': [
      [3, 4],
      [1, 2],
    ],
  })
  const other = adapter(1, 1, {
    'layers.0.q': [
      [0, 1],
      [1, 0],
    ],
  })
  const { modules, total } = await adapterDifference(one, other)
  expect(modules.map(({ module }) => module)).toEqual(['layers.0.q'])
  for (const each of [modules[0]!, total]) {
    expect(each.a).toBeCloseTo(Math.sqrt(36 + 64 + 144 + 256), 12)
    expect(each.b).toBeCloseTo(1, 12)
    expect(each.difference).toBeCloseTo(Math.sqrt(36 + 49 + 144 + 256), 12)
  }
})

it('ranks may differ, and a module that one of them lacks counts as nothing there', async () => {
  // rank 2, scale ½: ½ (e₁ [2 0] + e₂ [0 4]) = [[1 0] [0 2]]; rank 1, scale 1: [[1 0] [0 0]]
  const one = adapter(1, 2, {
    q: [
      [2, 0, 0, 4],
      [1, 0, 0, 1],
    ],
  })
  const other = adapter(1, 1, {
    q: [
      [1, 0],
      [1, 0],
    ],
    v: [
      [3, 0],
      [0, 1],
    ],
  })
  const { modules, total } = await adapterDifference(one, other)
  expect(modules).toEqual([
    { module: 'q', a: Math.sqrt(5), b: 1, difference: 2 },
    { module: 'v', a: 0, b: 3, difference: 3 },
  ])
  expect(total).toEqual({ a: Math.sqrt(5), b: Math.sqrt(10), difference: Math.sqrt(13) })
})

it('adapters of other ranks, scales and modules are compared by what they add to the weights, as numpy has it', async () => {
  // Frobenius norms of the whole products: numpy.linalg.norm(4 B A - 3 B' A'), with 4 = 8 / 2 and 3 = 6 / sqrt(4)
  const one = adapter(8, 2, {
    'layers.0.q': [
      [4, 1, 2, 4, 1, 2, 3, -2, -4, -2],
      [-2, 3, 4, -4, 0, 3],
    ],
    'layers.0.v': [
      [0, -4, -3, 0, 4, 0, 3, 4],
      [3, 1, -1, 0, -2, 0, -1, -2, 4, -4, -4, -3],
    ],
  })
  const other = adapter(
    6,
    4,
    {
      'layers.0.o': [
        [4, 2, 3, -3, 2, -1, 0, -4, 1, 3, 1, -3],
        [0, -2, 4, 3, -3, 0, 4, 3, 2, 1, -4, 2, 0, -4, -2, 0, 2, 0, 1, 3],
      ],
      'layers.0.q': [
        [-3, 3, -3, 0, 3, -2, -1, -2, 2, -2, 4, 0, 0, 0, 1, 0, 0, 4, 3, 3],
        [2, 1, -1, 4, 0, -3, 3, -3, 3, 1, -3, -4],
      ],
    },
    true,
  )
  const { modules, total } = await adapterDifference(one, other)
  expect(modules.map(({ module }) => module)).toEqual(['layers.0.o', 'layers.0.q', 'layers.0.v'])
  const rows = [...modules, total].map(({ a, b, difference }) => [a, b, difference])
  const numpy = [
    [0, 142.64992113562488, 142.64992113562488],
    [200.0799840063968, 156.86299754881645, 281.6913204200655],
    [195.42773600489772, 0, 195.42773600489772],
    [279.68553770261343, 212.02594180901542, 371.3367743706513],
  ]
  for (const [i, row] of rows.entries())
    for (const [j, value] of row.entries()) expect(value).toBeCloseTo(numpy[i]![j]!, 9)
})

it('a version is nowhere from itself, and other dimensions are refused with the module', async () => {
  const one = adapter(16, 1, {
    q: [
      [0.1, 0.7],
      [0.3, -0.9],
    ],
  })
  expect((await adapterDifference(one, one)).total.difference).toBeLessThan(1e-7)
  const wider = adapter(16, 1, {
    q: [
      [1, 2, 3],
      [1, 2],
    ],
  })
  expect((await errorOf(() => adapterDifference(one, wider))).line).toMatch(/^ADAPTER_MISMATCH: q has other dimensions/)
})
