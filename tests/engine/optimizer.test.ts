import { expect, test } from 'vitest'
import {
  accumulateGradient,
  applyAdamW,
  FunctionLibrary,
  type OptimizerOptions,
  ParameterVector,
  Session,
  tf,
  traceProgram,
} from '../../src/engine/index.js'
import { ADAMW } from '../support/optimizer.js'

const CONSTANT = { ...ADAMW, lr: 0.1 }

/** Three parameters whose gradient is fed, after `applied` steps. */
function optimizer(options: OptimizerOptions, applied = 0) {
  const library = new FunctionLibrary()
  const parameters = new ParameterVector('p', { a: [2], b: [1] })
  const inputs = { gradient: { shape: [3], dtype: 'float32' }, first: { shape: [], dtype: 'int32' } } as const
  const add = traceProgram(library, 'add', inputs, (scope) => {
    accumulateGradient(scope, parameters, [scope.inputs.gradient!], scope.inputs.first!)
    return { done: tf.add(scope.inputs.first!, tf.scalar(0, 'int32')) }
  })
  const apply = traceProgram(library, 'apply', {}, (scope) => applyAdamW(scope, parameters, options))
  const session = new Session(library, parameters.variables, [add, apply], 'graph')
  const zeros = parameters.variables.map(({ name, shape }) => {
    return [name, new Float32Array(shape.reduce((a, b) => a * b, 1))] as const
  })
  const start = { 'p.values': Float32Array.of(1, -2, 3), 'p.step': Float32Array.of(applied) }
  session.write({ ...Object.fromEntries(zeros), ...start })
  const step = (...gradients: readonly number[][]) => {
    gradients.forEach((gradient, i) => {
      session.run('add', { gradient: Float32Array.from(gradient), first: i === 0 ? 1 : 0 })
    })
    const { lr, grad_norm } = session.run('apply')
    const [values, count] = session.read('p.values', 'p.step')
    return { lr: lr![0]!, norm: grad_norm![0]!, values: Array.from(values!), applied: count![0]! }
  }
  return { step, end: () => session.dispose() }
}

/** AdamW in f64, as Loshchilov & Hutter write it. */
function reference(options: OptimizerOptions, gradients: readonly number[][]): number[] {
  const { beta1, beta2, eps, weightDecay, lr } = options
  const theta = [1, -2, 3]
  const m = [0, 0, 0]
  const v = [0, 0, 0]
  gradients.forEach((gradient, index) => {
    const t = index + 1
    for (let i = 0; i < 3; i++) {
      m[i] = beta1 * m[i]! + (1 - beta1) * gradient[i]!
      v[i] = beta2 * v[i]! + (1 - beta2) * gradient[i]! ** 2
      const update = m[i]! / (1 - beta1 ** t) / (Math.sqrt(v[i]! / (1 - beta2 ** t)) + eps)
      theta[i] = theta[i]! * (1 - lr * weightDecay) - lr * update
    }
  })
  return theta
}

test('AdamW with decoupled weight decay follows the f64 recurrence', () => {
  const options = { ...CONSTANT, weightDecay: 0.05 }
  const gradients = Array.from({ length: 20 }, (_, t) => [Math.sin(t), 1e-4 * Math.cos(t), 5])
  const { step, end } = optimizer(options)
  const values = gradients.map((gradient) => step(gradient).values).at(-1)!
  const expected = reference(options, gradients)
  values.forEach((value, i) => {
    expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5)
  })
  end()
})

test('parts of a gradient add up, and the next step starts a new sum', () => {
  const [whole, parts] = [optimizer(CONSTANT), optimizer(CONSTANT)]
  for (let t = 0; t < 3; t++) expect(parts.step([0.5, 0, 1], [0.5, 2, 0]).values).toEqual(whole.step([1, 2, 1]).values)
  whole.end()
  parts.end()
})

test('the norm is that before clipping, and does not overflow', () => {
  const { step, end } = optimizer({ ...CONSTANT, clipNorm: 1 })
  expect(step([3, 4, 0]).norm).toBeCloseTo(5, 5)
  expect(step([3e30, 4e30, 0]).norm / 5e30).toBeCloseTo(1, 5)
  end()
})

const rates = (schedule: OptimizerOptions['schedule']) => {
  const { step, end } = optimizer({ ...CONSTANT, schedule, warmupSteps: 2, totalSteps: 6 })
  const seen = Array.from({ length: 8 }, () => step([1, 1, 1]).lr)
  end()
  return seen
}
test.each([
  ['constant', [0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]],
  ['linear', [0.05, 0.1, 0.1, 0.075, 0.05, 0.025, 0, 0]],
  [
    'cosine',
    [0.05, 0.1, 0.1, 0.1, 0.1, 0.1, 0, 0].map((lr, n) =>
      n < 2 ? lr : 0.05 * (1 + Math.cos((Math.PI * Math.min(n - 2, 4)) / 4)),
    ),
  ],
] as const)('the %s schedule warms up and then follows its curve to 0', (schedule, expected) => {
  rates(schedule).forEach((lr, n) => {
    expect(lr).toBeCloseTo(expected[n]!, 6)
  })
})

test('steps count one by one up to 2²⁴, where the longest schedule ends, and no further', () => {
  const last = 2 ** 24
  const options = { ...CONSTANT, schedule: 'linear', totalSteps: last } as const
  const { step, end } = optimizer(options, last - 2)
  const seen = Array.from({ length: 4 }, () => step([1, 1, 1]))
  expect(seen.map(({ applied }) => applied)).toEqual([last - 1, last, last, last])
  const rates = [2 / last, 1 / last, 0, 0].map((share) => Math.fround(CONSTANT.lr * share))
  expect(seen.map(({ lr }) => lr)).toEqual(rates)
  end()
})

test('beyond 2²⁴ steps the moments are corrected by nothing', () => {
  const { step, end } = optimizer(CONSTANT, 2 ** 24)
  const m = 1 - CONSTANT.beta1
  const update = (CONSTANT.lr * m) / (Math.sqrt(1 - CONSTANT.beta2) + CONSTANT.eps)
  step([1, 1, 1]).values.forEach((value, i) => {
    expect(value).toBeCloseTo([1, -2, 3][i]! - update, 5)
  })
  end()
})
