import { expect, test } from 'vitest'
import { chosen, defineOption, FunctionLibrary, Session, tf, traceProgram } from '../../src/engine/index.js'

test.each(['graph', 'xla'] as const)('of several functions the one that is asked for runs (%s)', (executor) => {
  const library = new FunctionLibrary()
  const spec = {
    arguments: { x: { shape: [3], dtype: 'float32' }, by: { shape: [], dtype: 'float32' } },
    outputs: { y: 'float32', twice: 'float32' },
    matmul: 'f32',
  } as const
  const options = (
    [
      ['sum', tf.add],
      ['difference', tf.sub],
      ['product', tf.mul],
    ] as const
  ).map(([name, operation]) =>
    defineOption(library, name, spec, ({ x, by }) => {
      const y = operation(x!, by!)
      return { y, twice: tf.mul(y, 2) }
    }),
  )
  const inputs = { ...spec.arguments, which: { shape: [], dtype: 'int32' } } as const
  const program = traceProgram(library, 'run', inputs, ({ inputs: { which, x, by } }) => ({
    ...chosen(which!, options, { x: x!, by: by! }),
    only: chosen(which!, options.slice(2), { x: x!, by: by! }).y,
  }))
  const session = new Session(library, [], [program], executor)
  const x = Float32Array.of(1, -2, 3)
  for (const [which, y] of [
    [0, [11, 8, 13]],
    [1, [-9, -12, -7]],
    [2, [10, -20, 30]],
  ] as const) {
    const results = session.run('run', { x, by: Float32Array.of(10), which: Int32Array.of(which) })
    expect([...results.y!]).toEqual(y)
    expect([...results.twice!]).toEqual(y.map((value) => 2 * value))
    expect([...results.only!]).toEqual([10, -20, 30])
  }
  session.dispose()
})
