import { expect, test } from 'vitest'
import { FunctionLibrary, Session, tf, traceProgram } from '../../src/engine/index.js'
import { defineCausalAttention, MASKED } from '../../src/model/attention.js'
import { queryBands } from '../../src/model/query-bands.js'

const [B, T, H, G, E] = [2, 300, 4, 2, 8]
const noise = (size: number, from: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(from + 7.3 * i))
const Q = noise(B * H * T * E, 1)
const K = noise(B * G * T * E, 2)
const V = noise(B * G * T * E, 3)
/** Weights of the outputs in the sum that is differentiated. */
const C = noise(B * H * T * E, 4)
/** Row 0 holds one sequence, row 1 two and a rest of cells that see themselves alone. */
const owner = (row: number, cell: number) => (row === 0 ? 0 : cell < 130 ? 1 : cell < 280 ? 2 : 100 + cell)
const sees = (row: number, query: number, key: number) => key <= query && owner(row, query) === owner(row, key)

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

/** The weighted sum of the outputs of one key-value head's queries in row b. */
function sumOf(q: ArrayLike<number>, k: ArrayLike<number>, v: ArrayLike<number>, b: number, g: number): number {
  let sum = 0
  for (let h = (g * H) / G; h < ((g + 1) * H) / G; h++)
    for (let t = 0; t < T; t++)
      for (const [e, value] of outputOf(q, k, v, b, h, t).entries()) sum += value * C[((b * H + h) * T + t) * E + e]!
  return sum
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

test.each(['graph', 'xla'] as const)(
  'attention in bands and its gradients are those of the definition (%s)',
  (executor) => {
    const library = new FunctionLibrary()
    const shape = { rows: B, length: T, heads: H, kvHeads: G, headDim: E, product: 'float32' } as const
    const attention = defineCausalAttention(library, 'attention', shape)
    const float = (...dimensions: number[]) => ({ shape: dimensions, dtype: 'float32' as const })
    const inputs = { q: float(B, H, T, E), k: float(B, G, T, E), v: float(B, G, T, E) }
    const program = traceProgram(library, 'run', inputs, ({ inputs: { q, k, v } }) => {
      const masks = queryBands(T).map(({ start, end }) => {
        const cells = Array.from({ length: B * (end - start) * end }, (_, i) => {
          const [b, t, s] = [
            Math.floor(i / ((end - start) * end)),
            start + (Math.floor(i / end) % (end - start)),
            i % end,
          ]
          return sees(b, t, s) ? 0 : MASKED
        })
        return tf.tensor(Float32Array.from(cells), [B, 1, 1, end - start, end])
      })
      const weights = tf.tensor(C, [B, H, T, E])
      const [dq, dk, dv] = tf.grads((...x: Parameters<typeof tf.neg>[0][]) => {
        const [a, b, c] = x as [typeof q, typeof q, typeof q]
        return tf.sum(tf.mul(attention(a!, b!, c!, masks), weights))
      })([q!, k!, v!])
      return { y: attention(q!, k!, v!, masks), dq: dq!, dk: dk!, dv: dv! }
    })
    const session = new Session(library, [], [program], executor)
    const { y, dq, dk, dv } = session.run('run', { q: Q, k: K, v: V })
    for (const [b, h, t] of [
      [0, 0, 0],
      [0, 1, 127],
      [0, 2, 128],
      [0, 3, 299],
      [1, 0, 129],
      [1, 1, 130],
      [1, 2, 279],
      [1, 3, 290],
    ] as const)
      for (const [e, value] of outputOf(Q, K, V, b, h, t).entries())
        expect(y?.[((b * H + h) * T + t) * E + e]).toBeCloseTo(value, 4)

    const step = 1e-4
    const slope = (which: 0 | 1 | 2, at: number, b: number, g: number) => {
      const moved = (by: number) => {
        const values = [Q, K, V].map((array) => Float64Array.from(array)) as [Float64Array, Float64Array, Float64Array]
        values[which][at] = (values[which][at] as number) + by
        return sumOf(...values, b, g)
      }
      return (moved(step) - moved(-step)) / (2 * step)
    }
    for (const [b, g, t, e] of [
      [0, 0, 3, 0],
      [0, 1, 140, 5],
      [0, 0, 299, 7],
      [1, 1, 129, 2],
      [1, 0, 200, 3],
    ] as const) {
      const [query, key] = [((b * H + (g * H) / G) * T + t) * E + e, ((b * G + g) * T + t) * E + e]
      expect(dq?.[query]).toBeCloseTo(slope(0, query, b, g), 3)
      expect(dk?.[key]).toBeCloseTo(slope(1, key, b, g), 3)
      expect(dv?.[key]).toBeCloseTo(slope(2, key, b, g), 3)
    }
    session.dispose()
  },
)
