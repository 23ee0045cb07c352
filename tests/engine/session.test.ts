import { expect, test } from 'vitest'
import {
  accumulateGradient,
  applyAdamW,
  broadcastTo,
  defineDifferentiable,
  defineFunction,
  FunctionLibrary,
  liveTensors,
  ParameterVector,
  Session,
  tf,
  traceProgram,
} from '../../src/engine/index.js'
import { ADAMW } from '../support/optimizer.js'

const OPTIMIZER = { ...ADAMW, lr: 0.05 }

/** A network of two layers that learns XOR; its layer is a differentiable function with residuals. */
function xorSession(executor: 'graph' | 'xla'): Session {
  const library = new FunctionLibrary()
  const parameters = new ParameterVector('net', { w1: [2, 8], b1: [8], w2: [8, 1], b2: [1] })
  const hidden = defineDifferentiable(
    library,
    'hidden',
    {
      frozen: {},
      trainable: {
        x: { shape: [4, 2], dtype: 'float32' },
        w1: { shape: [2, 8], dtype: 'float32' },
        b1: { shape: [8], dtype: 'float32' },
      },
    },
    (_, { x, w1, b1 }) => tf.tanh(tf.add(tf.matMul(x!, w1!), b1!)),
  )
  const learn = traceProgram(
    library,
    'learn',
    {
      x: { shape: [4, 2], dtype: 'float32' },
      y: { shape: [4, 1], dtype: 'float32' },
      first: { shape: [], dtype: 'int32' },
    },
    (scope) => {
      const parts = parameters.split(scope.read(parameters.values))
      const names = Object.keys(parts)
      const { value, grads } = tf.valueAndGrads((...values) => {
        const p = Object.fromEntries(names.map((name, i) => [name, values[i]!]))
        const h = hidden({}, { x: scope.inputs.x!, w1: p.w1!, b1: p.b1! }, true)
        const logits = tf.add(tf.matMul(h, p.w2!), p.b2!)
        const signs = tf.sub(1, tf.mul(scope.inputs.y!, 2))
        return tf.mean(tf.softplus(tf.mul(signs, logits)))
      })(Object.values(parts))
      const gradient = parameters.join(Object.fromEntries(names.map((name, i) => [name, grads[i]!])))
      accumulateGradient(scope, parameters, [gradient], scope.inputs.first!)
      return { loss: value }
    },
  )
  const apply = traceProgram(library, 'apply', {}, (scope) => applyAdamW(scope, parameters, OPTIMIZER))
  const session = new Session(library, parameters.variables, [learn, apply], executor)
  const zeros = parameters.variables.map(({ name, shape }) => {
    return [name, new Float32Array(shape.reduce((a, b) => a * b, 1))] as const
  })
  const start = Float32Array.from({ length: parameters.size }, (_, i) => Math.sin(i * 12.9898) * 0.8)
  session.write({ ...Object.fromEntries(zeros), [parameters.values.name]: start })
  return session
}

const XOR = { x: Float32Array.of(0, 0, 0, 1, 1, 0, 1, 1), y: Float32Array.of(0, 1, 1, 0), first: 1 }

test.each(['graph', 'xla'] as const)(
  'anything can be trained: a network learns XOR with the %s executor',
  (executor) => {
    const session = xorSession(executor)
    let loss = Number.POSITIVE_INFINITY
    for (let step = 0; step < 300; step++) {
      loss = session.run('learn', XOR).loss![0]!
      expect(session.run('apply').applied![0]).toBe(1)
    }
    expect(loss).toBeLessThan(0.02)
    expect(session.read('net.step')[0]![0]).toBe(300)
    session.dispose()
  },
)

test('both executors compute the same gradients', () => {
  const gradients = (['graph', 'xla'] as const).map((executor) => {
    const session = xorSession(executor)
    session.run('learn', XOR)
    const gradient = session.read('net.gradient')[0]!
    session.dispose()
    return gradient
  })
  for (const [i, value] of gradients[0]!.entries()) expect(gradients[1]![i]).toBeCloseTo(value, 6)
})

test('the gradient of a split function equals finite differences', () => {
  const session = xorSession('graph')
  session.run('learn', XOR)
  const gradient = session.read('net.gradient')[0]!
  const theta = session.read('net.values')[0] as Float32Array
  const h = 1e-2
  for (let i = 0; i < theta.length; i += 3) {
    const at = (delta: number) => {
      const moved = theta.slice()
      moved[i]! += delta
      session.write({ 'net.values': moved })
      return session.run('learn', XOR).loss![0]!
    }
    expect((at(h) - at(-h)) / (2 * h)).toBeCloseTo(gradient[i]!, 3)
  }
  session.dispose()
})

test('a gradient that is not finite changes no state', () => {
  const session = xorSession('graph')
  session.run('learn', XOR)
  session.run('apply')
  const before = session.read('net.values')[0]!.slice()
  session.run('learn', { ...XOR, x: Float32Array.of(Number.NaN, 0, 0, 1, 1, 0, 1, 1) })
  expect(session.run('apply').applied![0]).toBe(0)
  expect(session.read('net.values')[0]).toEqual(before)
  expect(session.read('net.step')[0]![0]).toBe(1)
  session.run('learn', XOR)
  expect(session.run('apply').applied![0]).toBe(1)
  session.dispose()
})

test('a variable keeps its value when the array that it was written from changes, however that array is aligned', () => {
  const session = xorSession('graph')
  const name = 'net.values'
  const size = session.read(name)[0]!.length
  for (let shift = 0; shift < 64; shift += 4) {
    const written = new Float32Array(new ArrayBuffer(4 * size + 64), shift, size)
    written.forEach((_, i) => {
      written[i] = i
    })
    session.write({ [name]: written })
    written.fill(-1)
    expect([...session.read(name)[0]!]).toEqual(Array.from({ length: size }, (_, i) => i))
  }
  session.dispose()
})

test.each(['graph', 'xla'] as const)(
  'a program that is added later shares variables and functions with those before (%s)',
  (executor) => {
    const library = new FunctionLibrary()
    const x = { shape: [2], dtype: 'float32' } as const
    const COUNT = { name: 'count', ...x }
    const square = defineFunction(library, 'square', { x }, (args) => ({ y: tf.square(args.x!) }))
    const program = (name: string, next: (count: ReturnType<typeof tf.tensor>) => ReturnType<typeof tf.tensor>) =>
      traceProgram(library, name, {}, ({ read, assign }) => {
        const count = next(read(COUNT))
        assign(COUNT, count)
        return { count }
      })
    const session = new Session(library, [COUNT], [program('squared', (count) => square({ x: count }).y)], executor)
    session.write({ count: Float32Array.of(2, -3) })
    session.run('squared')
    expect(session.has('halved')).toBe(false)
    session.extend(() => {
      const half = defineFunction(library, 'half', { x }, (args) => ({ y: tf.div(square({ x: args.x! }).y, 2) }))
      return program('halved', (count) => half({ x: count }).y)
    })
    expect(session.has('halved')).toBe(true)
    expect([...session.run('halved').count!]).toEqual([8, 40.5])
    expect([...session.run('squared').count!]).toEqual([64, 1640.25])
    session.dispose()
  },
)

test('a program is not added if it uses a variable that the session has not', () => {
  const library = new FunctionLibrary()
  const one = traceProgram(library, 'one', {}, () => ({ y: tf.tensor1d([1]) }))
  const session = new Session(library, [], [one], 'graph')
  const other = { name: 'other', shape: [1], dtype: 'float32' } as const
  expect(() => session.extend(() => traceProgram(library, 'look', {}, ({ read }) => ({ y: read(other) })))).toThrow(
    'no variable other',
  )
  expect(session.run('one').y![0]).toBe(1)
  session.dispose()
})

test('TensorFlow handles stay flat over 1,000 steps', () => {
  const session = xorSession('graph')
  session.run('learn', XOR)
  session.run('apply')
  const before = liveTensors()
  for (let step = 0; step < 1000; step++) {
    session.run('learn', XOR)
    session.run('apply')
    session.read('net.step')
  }
  expect(liveTensors()).toBe(before)
  session.dispose()
})

test('a buffer that no machine has is refused with the code of it, and the session goes on', () => {
  const library = new FunctionLibrary()
  const size = 2 ** 21
  const inputs = { x: { shape: [size, 1], dtype: 'float32' as const } }
  const sum = (columns: number) =>
    traceProgram(library, `sum_${columns}`, inputs, ({ inputs: { x } }) => ({
      total: tf.max(tf.sin(broadcastTo(x as Parameters<typeof broadcastTo>[0], [size, columns]))),
    }))
  const session = new Session(library, [], [sum(1), sum(size)], 'graph')
  const values = { x: new Float32Array(size).fill(0.5) }
  expect(() => session.run(`sum_${size}`, values)).toThrow(expect.objectContaining({ code: 'DEVICE_OUT_OF_MEMORY' }))
  expect(session.run('sum_1', values).total?.[0]).toBeCloseTo(Math.sin(0.5), 6)
  session.dispose()
})
