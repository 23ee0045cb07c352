import { expect, test } from 'vitest'
import { defineKeepingStack, FunctionLibrary, Session, tf, traceProgram } from '../../src/engine/index.js'

const LAYERS = 3
const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const })
const SPEC = { layers: LAYERS, x: [2, 2], frozen: { w: float(2) }, shared: { shift: float(2) } }
const VALUES = { x: Float32Array.of(1, 2, 3, 4), w: Float32Array.of(1, 2, 3, 4, 5, 6), shift: Float32Array.of(1, -1) }

test.each(['graph', 'xla'] as const)('a stack gives the last output, and what each layer keeps (%s)', (executor) => {
  const library = new FunctionLibrary()
  const stack = defineKeepingStack(
    library,
    'stack',
    { spec: SPEC, kept: { doubled: [2, 1, 2], row: [2] } },
    ({ w, shift }, x) => ({
      y: tf.add(tf.mul(x, w!), shift!),
      doubled: tf.reshape(tf.mul(x, 2), [2, 1, 2]),
      row: tf.sum(x, 0),
    }),
  )
  const inputs = { x: float(2, 2), w: float(LAYERS, 2), shift: float(2) }
  const program = traceProgram(library, 'run', inputs, ({ inputs: { x, w, shift } }) =>
    stack({ w: w! }, { shift: shift! }, x!),
  )
  const session = new Session(library, [], [program], executor)
  const { y, doubled, row } = session.run('run', VALUES)
  session.dispose()
  // layer by layer, by hand: (1 2 3 4) · (1 2) + (1 −1) = (2 3 4 7), then · (3 4) + (1 −1) = (7 11 13 27)
  expect([...y!]).toEqual([36, 65, 66, 161])
  expect([...doubled!]).toEqual([2, 4, 6, 8, 4, 6, 8, 14, 14, 22, 26, 54])
  expect([...row!]).toEqual([4, 6, 6, 10, 20, 38])
  expect(program.outputs.map(({ shape }) => shape)).toEqual([
    [2, 2],
    [LAYERS, 2, 1, 2],
    [LAYERS, 2],
  ])
})
