import { expect, test } from 'vitest'
import {
  defineFrozenStack,
  defineLayerStack,
  FunctionLibrary,
  Session,
  tf,
  traceProgram,
} from '../../src/engine/index.js'

const LAYERS = 3
const WIDTH = 4
const ROWS = 5

const noise = (size: number, from: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(from + 7.3 * i))
const WEIGHTS = noise(LAYERS * WIDTH * WIDTH, 1)
const PARAMETERS = noise(LAYERS * WIDTH, 2)
const X = noise(ROWS * WIDTH, 3)
const SHIFT = noise(WIDTH, 4)

/** tanh(x W) scaled by what is trained, and shifted; in f64: the sum of squares of the last layer's output. */
function expected(parameters: ArrayLike<number>): { y: number[]; loss: number } {
  let x = Array.from(X)
  for (let layer = 0; layer < LAYERS; layer++)
    x = x.map((_, at) => {
      const [row, column] = [Math.floor(at / WIDTH), at % WIDTH]
      let sum = 0
      for (let k = 0; k < WIDTH; k++) sum += x[row * WIDTH + k]! * WEIGHTS[layer * WIDTH * WIDTH + k * WIDTH + column]!
      return Math.tanh(sum) * (1 + parameters[layer * WIDTH + column]!) + SHIFT[column]!
    })
  return { y: x, loss: x.reduce((sum, value) => sum + value * value, 0) }
}

const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const })
const SPEC = { layers: LAYERS, x: [ROWS, WIDTH], frozen: { w: float(WIDTH, WIDTH) }, shared: { shift: float(WIDTH) } }
const INPUTS = { x: float(ROWS, WIDTH), w: float(LAYERS, WIDTH, WIDTH), shift: float(WIDTH), p: float(LAYERS, WIDTH) }
const VALUES = { x: X, w: WEIGHTS, shift: SHIFT, p: PARAMETERS }

test.each([
  ['graph', false],
  ['graph', true],
  ['xla', false],
  ['xla', true],
] as const)(
  'a stack gives the value and the gradient of its layers, one by one (%s, computed again for the backward pass: %s)',
  (executor, recompute) => {
    const library = new FunctionLibrary()
    const stack = defineLayerStack(
      library,
      'stack',
      { ...SPEC, recompute, parameters: WIDTH },
      ({ w, shift }, x, row) => tf.add(tf.mul(tf.tanh(tf.matMul(x, w!)), tf.add(row, 1)), shift!),
    )
    const program = traceProgram(library, 'run', INPUTS, ({ inputs: { x, w, shift, p } }) => {
      const run = (differentiate: boolean) => (rows: typeof x) =>
        stack({ w: w! }, { shift: shift! }, x!, rows!, differentiate)
      const { value, grad } = tf.valueAndGrad((rows) => tf.sum(tf.square(run(true)(rows))))(p!)
      return { loss: value, gradient: grad, y: run(false)(p!) }
    })
    const session = new Session(library, [], [program], executor)
    const { loss, gradient, y } = session.run('run', VALUES)
    const exact = expected(PARAMETERS)
    expect(loss![0]).toBeCloseTo(exact.loss, 4)
    for (const [i, value] of exact.y.entries()) expect(y![i]).toBeCloseTo(value, 5)
    const step = 1e-6
    PARAMETERS.forEach((_, i) => {
      const moved = (by: number) => expected(Float64Array.from(PARAMETERS, (p, k) => (k === i ? p + by : p))).loss
      expect(gradient![i]).toBeCloseTo((moved(step) - moved(-step)) / (2 * step), 4)
    })
    session.dispose()
  },
)

test('a frozen stack gives the value', () => {
  const library = new FunctionLibrary()
  const stack = defineFrozenStack(library, 'stack', SPEC, ({ w, shift }, x) =>
    tf.add(tf.tanh(tf.matMul(x, w!)), shift!),
  )
  const program = traceProgram(library, 'run', INPUTS, ({ inputs: { x, w, shift } }) => ({
    y: stack({ w: w! }, { shift: shift! }, x!),
  }))
  const session = new Session(library, [], [program], 'graph')
  const { y } = session.run('run', VALUES)
  for (const [i, value] of expected(new Float64Array(LAYERS * WIDTH)).y.entries()) expect(y![i]).toBeCloseTo(value, 5)
  session.dispose()
})
