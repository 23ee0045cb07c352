import { beforeAll, describe, expect, test } from 'vitest'
import { FunctionLibrary, Session, tf, traceProgram } from '../../src/engine/index.js'
import { defineBandAttention, definePackedAttention } from '../../src/model/packed-attention.js'
import { queryBands } from '../../src/model/query-bands.js'
import { blockKeys, queryBlocks } from '../../src/model/query-blocks.js'

const [T, H, G, E] = [300, 4, 2, 8]
/** Row, key-value head, token and channel. */
type Place = readonly [b: number, g: number, t: number, e: number]

/** Up to which slot each slot of a row is seen, of runs of tokens [from, to, end]; what is in none sees itself alone. */
function endsOf(...runs: readonly (readonly [from: number, to: number, end: number])[]): number[] {
  const ends = Array.from({ length: T }, (_, slot) => slot + 1)
  for (const [from, to, end] of runs) ends.fill(end, from, to)
  return ends
}

const BATCHES = {
  'two rows of whole sequences': [endsOf([0, 300, 300]), endsOf([0, 130, 130], [130, 280, 280])],
  'one row of one sequence': [endsOf([0, 300, 300])],
  // a beginning of 110, two branches behind it, the second of which divides again, and a sequence by itself
  'one row of trees': [
    endsOf([0, 110, 245], [110, 150, 150], [150, 170, 245], [170, 200, 200], [200, 245, 245], [245, 290, 290]),
  ],
}

test.each([
  [64, 1],
  [128, 1],
  [129, 2],
  [300, 3],
  [512, 4],
  [2048, 4],
  [2049, 4],
])('rows of %d are taken in %d bands that cover them once', (length, count) => {
  const bands = queryBands(length)
  expect(bands.length).toBe(count)
  expect(bands[0]?.start).toBe(0)
  expect(bands.at(-1)?.end).toBe(length)
  for (const [i, { start, end }] of bands.entries()) {
    expect(end).toBeGreaterThan(start)
    if (i > 0) expect(start).toBe(bands[i - 1]?.end)
  }
})

describe('blocks of queries', () => {
  test.each([1, 128, 129, 300, 1280, 3072])(
    'of a row of %d cover it once, and the largest list has room for all before',
    (length) => {
      const blocks = queryBlocks(length)
      expect(blocks.flatMap(({ start, end }) => [start, end])).toEqual(
        blocks.flatMap((_, i) => [128 * i, Math.min(length, 128 * (i + 1))]),
      )
      for (const { end, capacities } of blocks) {
        expect(capacities.at(-1)).toBeGreaterThanOrEqual(end)
        expect(capacities.at(-1)).toBeLessThanOrEqual(length)
        expect(capacities.toSorted((a, b) => a - b)).toEqual(capacities)
      }
    },
  )

  test.each(Object.entries(BATCHES))('have the keys that their queries see, and few more (%s)', (_, rows) => {
    const ends = Int32Array.from(rows.at(-1)!)
    const { keySlots, keyCounts, keyCapacities } = blockKeys(ends)
    queryBlocks(T).forEach(({ start, end, capacities }, i) => {
      const seen = Array.from({ length: T }, (_, key) => key).filter((key) =>
        ends.slice(start, end).some((_, query) => key <= start + query && ends[key]! > start + query),
      )
      expect([...keySlots.slice(i * T, i * T + keyCounts[i]!)]).toEqual(seen)
      expect(capacities[keyCapacities[i]!]).toBeGreaterThanOrEqual(seen.length)
      expect(capacities[keyCapacities[i]! - 1] ?? 0).toBeLessThan(seen.length)
    })
  })

  test('of short branches behind a long beginning have lists of about its length', () => {
    const ends = Int32Array.from({ length: 2048 }, (_, slot) => (slot < 1024 ? 2048 : 64 * Math.floor(slot / 64) + 64))
    const { keyCounts } = blockKeys(ends)
    expect([...keyCounts]).toEqual(Array.from({ length: 16 }, (_, i) => Math.min(128 * (i + 1), 1024 + 128)))
  })
})

describe.each(Object.entries(BATCHES))('attention over %s', (_, rows) => {
  const B = rows.length
  const noise = (size: number, from: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(from + 7.3 * i))
  const Q = noise(B * H * T * E, 1)
  const K = noise(B * G * T * E, 2)
  const V = noise(B * G * T * E, 3)
  /** Weights of the outputs in the sum that is differentiated. */
  const C = noise(B * H * T * E, 4)
  const sees = (row: number, query: number, key: number) => key <= query && rows[row]![key]! > query

  /** Output of one query in f64, by the definition. */
  function outputOf(q: ArrayLike<number>, k: ArrayLike<number>, v: ArrayLike<number>, b: number, h: number, t: number) {
    const g = Math.floor(h / (H / G))
    const [query, keys] = [((b * H + h) * T + t) * E, (b * G + g) * T * E]
    const visible = Array.from({ length: T }, (_, s) => s).filter((s) => sees(b, t, s))
    const dot = (s: number) => Array.from({ length: E }, (_, e) => q[query + e]! * k[keys + s * E + e]!)
    const scores = visible.map((s) => dot(s).reduce((x, y) => x + y, 0))
    const top = Math.max(...scores)
    const shares = scores.map((score) => Math.exp(score - top))
    const total = shares.reduce((x, y) => x + y, 0)
    return Array.from({ length: E }, (_, e) =>
      visible.reduce((sum, s, i) => sum + ((shares[i] as number) / total) * v[keys + s * E + e]!, 0),
    )
  }

  type Arrays = readonly [ArrayLike<number>, ArrayLike<number>, ArrayLike<number>]
  /** The weighted sum of the outputs of some queries of a head in row b. */
  const sumOf = (values: Arrays, b: number, h: number, queries: readonly number[]): number =>
    queries.reduce((sum, t) => {
      const output = outputOf(...values, b, h, t)
      return output.reduce((part, value, e) => part + value * C[((b * H + h) * T + t) * E + e]!, sum)
    }, 0)

  /** The slope of the weighted sum of all outputs over one number of q, k or v, by central differences in f64. */
  function slope(which: 0 | 1 | 2, [b, g, t, e]: Place): number {
    const step = 1e-4
    const first = (g * H) / G
    const at = (which === 0 ? ((b * H + first) * T + t) * E : ((b * G + g) * T + t) * E) + e
    // no other output depends on it
    const heads = which === 0 ? [first] : Array.from({ length: H / G }, (_, i) => first + i)
    const queries = which === 0 ? [t] : Array.from({ length: T }, (_, query) => query).filter((q) => sees(b, q, t))
    const moved = (by: number) => {
      const values = [Q, K, V].map((array) => Float64Array.from(array)) as [Float64Array, Float64Array, Float64Array]
      values[which][at] = (values[which][at] as number) + by
      return heads.reduce((sum, h) => sum + sumOf(values, b, h, queries), 0)
    }
    return (moved(step) - moved(-step)) / (2 * step)
  }

  const outputs = [0, 109, 110, 127, 128, 129, 149, 150, 199, 200, 244, 279, 290, 299].flatMap((t) =>
    (
      [
        [0, 1, t],
        [B - 1, 3, t],
      ] as readonly (readonly [number, number, number])[]
    ).map((place) => ({
      ...{ place, values: [] as readonly number[] },
    })),
  )
  const gradients = (
    [
      [0, 0, 3, 0],
      [0, 1, 140, 5],
      [0, 0, 299, 7],
      [B - 1, 1, 129, 2],
      [B - 1, 0, 200, 3],
    ] as readonly Place[]
  ).map((place) => ({ place, slopes: [] as readonly number[] }))
  // by the definition, which takes its time: once for all that is compared with it
  beforeAll(() => {
    for (const each of outputs) each.values = outputOf(Q, K, V, ...each.place)
    for (const each of gradients) each.slopes = ([0, 1, 2] as const).map((which) => slope(which, each.place))
  })

  test.each([
    ['graph', definePackedAttention],
    ['xla', definePackedAttention],
    // as on a GPU, of one row
    ['graph', defineBandAttention],
  ] as const)('and its gradients are those of the definition (%s, %o)', (executor, define) => {
    const library = new FunctionLibrary()
    const shape = { rows: B, length: T, heads: H, kvHeads: G, headDim: E, product: 'float32' } as const
    const attention = define(library, 'attention', { ...shape, recompute: define === defineBandAttention })
    const float = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'float32' as const })
    const int = (size: number) => ({ shape: [size], dtype: 'int32' as const })
    const slotEnds = Int32Array.from(rows.flat())
    const layout = B === 1 ? { slotEnds, ...blockKeys(slotEnds) } : { slotEnds }
    const inputs = {
      ...{ q: float(B, H, T, E), k: float(B, G, T, E), v: float(B, G, T, E) },
      ...Object.fromEntries(Object.entries(layout).map(([name, values]) => [name, int(values.length)])),
    }
    const program = traceProgram(library, 'run', inputs, ({ inputs: given }) => {
      const { q, k, v } = given as Record<'q' | 'k' | 'v', Parameters<typeof tf.neg>[0] & object>
      const shared = attention.sharedOf(given as never)
      const attend = (...[a, b, c]: (typeof q)[]) => attention.attend(a as never, b as never, c as never, shared)
      const weights = tf.tensor(C, [B, H, T, E])
      const [dq, dk, dv] = tf.grads((...x) => tf.sum(tf.mul(attend(...x), weights)))([q, k, v] as never)
      return { y: attend(q, k, v), dq: dq!, dk: dk!, dv: dv! }
    })
    const session = new Session(library, [], [program], executor)
    const { y, dq, dk, dv } = session.run('run', { q: Q, k: K, v: V, ...layout })
    for (const { place, values } of outputs) {
      const [b, h, t] = place
      for (const [e, value] of values.entries()) expect(y?.[((b * H + h) * T + t) * E + e]).toBeCloseTo(value, 4)
    }
    for (const { place, slopes } of gradients) {
      const [b, g, t, e] = place
      const [query, key] = [((b * H + (g * H) / G) * T + t) * E + e, ((b * G + g) * T + t) * E + e]
      expect(dq?.[query]).toBeCloseTo(slopes[0]!, 3)
      expect(dk?.[key]).toBeCloseTo(slopes[1]!, 3)
      expect(dv?.[key]).toBeCloseTo(slopes[2]!, 3)
    }
    session.dispose()
  })
})
