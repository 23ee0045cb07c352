import { expect, test } from 'vitest'
import { FunctionLibrary, Session, tf, traceProgram } from '../../src/engine/index.js'
import { orderedSegmentSum } from '../../src/engine/segment-sum.js'

const WIDTH = 5

/** Sums of rows by segment, in f64. */
function sumsOf(x: Float32Array, ids: Int32Array, segments: number): number[] {
  const sums = new Array<number>(segments * WIDTH).fill(0)
  ids.forEach((id, row) => {
    for (let i = 0; i < WIDTH; i++) sums[id * WIDTH + i]! += x[row * WIDTH + i]!
  })
  return sums
}

test.each([
  ['graph', 7],
  ['graph', 200],
  ['xla', 7],
  ['xla', 200],
] as const)(
  'rows are added up by segment without a scatter, with their gradient (%s, %i segments)',
  (executor, segments) => {
    const n = 300
    const library = new FunctionLibrary()
    const inputs = {
      x: { shape: [n, WIDTH], dtype: 'float32' },
      ids: { shape: [n], dtype: 'int32' },
      slopes: { shape: [segments, WIDTH], dtype: 'float32' },
    } as const
    const program = traceProgram(library, 'run', inputs, ({ inputs: { x, ids, slopes } }) => {
      const sums = (rows: typeof x) => orderedSegmentSum(rows!, ids!, segments)
      return { sums: sums(x), gradient: tf.grad((rows) => tf.sum(tf.mul(sums(rows), slopes!)))(x!) }
    })
    const session = new Session(library, [], [program], executor)
    const x = Float32Array.from({ length: n * WIDTH }, (_, i) => Math.sin(3.7 * i))
    const ids = Int32Array.from({ length: n }, (_, row) => (row * 31) % (segments - 1))
    const slopes = Float32Array.from({ length: segments * WIDTH }, (_, i) => Math.cos(i))
    const { sums, gradient } = session.run('run', { x, ids, slopes })
    sumsOf(x, ids, segments).forEach((sum, i) => {
      expect(sums?.[i]).toBeCloseTo(sum, 5)
    })
    expect([...gradient!]).toEqual([...x].map((_, i) => slopes[ids[Math.floor(i / WIDTH)]! * WIDTH + (i % WIDTH)]))
    session.dispose()
  },
)

test('of few segments, a row that is not finite reaches its own alone', () => {
  const library = new FunctionLibrary()
  const inputs = { x: { shape: [3], dtype: 'float32' }, ids: { shape: [3], dtype: 'int32' } } as const
  const program = traceProgram(library, 'run', inputs, ({ inputs: { x, ids } }) => ({
    sums: orderedSegmentSum(x!, ids!, 2),
  }))
  const session = new Session(library, [], [program], 'graph')
  const { sums } = session.run('run', { x: Float32Array.of(1, Number.NaN, 2), ids: Int32Array.of(0, 1, 0) })
  expect([...sums!]).toEqual([3, Number.NaN])
  session.dispose()
})
