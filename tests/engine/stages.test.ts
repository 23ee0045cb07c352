import { expect, test } from 'vitest'
import {
  defineLayerStack,
  FunctionLibrary,
  type Program,
  type ProgramScope,
  Session,
  tf,
  traceProgram,
  type Variable,
} from '../../src/engine/index.js'

const LAYERS = 4
const WIDTH = 8
const ROWS = 5
const noise = (size: number, from: number) => Float32Array.from({ length: size }, (_, i) => Math.sin(from + 7.3 * i))
const float = (...shape: number[]) => ({ shape, dtype: 'float32' as const })

interface Stage {
  readonly weights: Variable
  readonly rows: Variable
  readonly sum: Variable
}

/** `learn`: value and gradient of layers that lie at so many stages, with the gradient added at each; `look`: the sums. */
function trace(stages: number, executor: 'graph' | 'xla') {
  const library = new FunctionLibrary({ listsLeaveCalls: executor === 'graph' })
  const own = LAYERS / stages
  const all: readonly Stage[] = Array.from({ length: stages }, (_, stage) => ({
    weights: { name: `weights_${stage}`, stage, ...float(own, WIDTH, WIDTH) },
    rows: { name: `rows_${stage}`, stage, ...float(own, WIDTH) },
    sum: { name: `sum_${stage}`, stage, ...float(own, WIDTH) },
  }))
  const stack = defineLayerStack(
    library,
    'stack',
    { layers: own, x: [ROWS, WIDTH], frozen: { w: float(WIDTH, WIDTH) }, shared: {}, parameters: WIDTH },
    ({ w }, x, row) => tf.mul(tf.tanh(tf.matMul(x, w!)), tf.add(row, 1)),
  )
  const learn = ({ read, assign, inputs }: ProgramScope) => {
    const loss = (...rows: ReturnType<typeof read>[]) => {
      const y = all.reduce((x, { weights }, k) => stack({ w: read(weights) }, {}, x, rows[k]!, true), inputs.x!)
      return tf.sum(tf.square(tf.sub(y, inputs.y!)))
    }
    const { value, grads } = tf.valueAndGrads(loss)(all.map(({ rows }) => read(rows)))
    all.forEach(({ sum }, k) => {
      assign(sum, tf.add(read(sum), grads[k]!))
    })
    return { loss: value }
  }
  const look = ({ read }: ProgramScope) => ({ sums: tf.concat(all.map(({ sum }) => read(sum))) })
  const programs = [
    traceProgram(library, 'learn', { x: float(ROWS, WIDTH), y: float(ROWS, WIDTH) }, learn),
    traceProgram(library, 'look', {}, look),
  ]
  return { library, programs, variables: all.flatMap((each) => Object.values(each) as Variable[]), own }
}

function learnt(stages: number, executor: 'graph' | 'xla') {
  const { library, programs, variables, own } = trace(stages, executor)
  const devices = Array.from({ length: stages }, (_, k) => `/device:CPU:${k}`)
  const session = new Session(library, variables, programs, executor, {
    places: { devices, stages, atFirstOnly: [] },
  })
  const [weights, rows] = [noise(LAYERS * WIDTH * WIDTH, 1), noise(LAYERS * WIDTH, 2)]
  const part = (values: Float32Array, k: number) =>
    values.slice((k * values.length) / stages, ((k + 1) * values.length) / stages)
  for (let k = 0; k < stages; k++)
    session.write({
      [`weights_${k}`]: part(weights, k),
      [`rows_${k}`]: part(rows, k),
      [`sum_${k}`]: new Float32Array(own * WIDTH),
    })
  const inputs = { x: noise(ROWS * WIDTH, 3), y: noise(ROWS * WIDTH, 4) }
  const losses = [0, 1].map(() => session.run('learn', inputs).loss![0])
  const { sums } = session.run('look')
  session.dispose()
  return { losses, sums: [...sums!] }
}

const shapeOf = ({ calls }: Program) =>
  calls.map(({ stage, operands }) => ({ stage, from: operands.flatMap((each) => ('call' in each ? [each.call] : [])) }))

test('a pass forward and backward through S stages is 2S − 1 calls, each where its variables are', () => {
  const [learn, look] = trace(4, 'graph').programs as [Program, Program]
  expect(learn.calls.map(({ stage }) => stage)).toEqual([0, 1, 2, 3, 2, 1, 0])
  // lists and what else is kept go from the forward call of a stage to its backward call alone
  for (const [call, { from }] of shapeOf(learn).entries())
    expect(new Set(from)).toEqual(new Set(call === 0 ? [] : call < 4 ? [call - 1] : [call - 1, 6 - call]))
  for (const { operands, stage } of learn.calls)
    for (const each of operands) if ('variable' in each) expect(each.variable.stage).toBe(stage)
  expect(shapeOf(look).map(({ stage }) => stage)).toEqual([1, 2, 3, 0])
})

test('layers at two and four stages compute the bits that they do at one', () => {
  const one = learnt(1, 'graph')
  expect(one.sums.some((value) => value !== 0)).toBe(true)
  for (const stages of [2, 4]) expect(learnt(stages, 'graph')).toEqual(one)
})

test('compiled by XLA, which fuses what one call computes, they agree within rounding', () => {
  const [one, two] = [learnt(1, 'xla'), learnt(2, 'xla')]
  const norm = (values: readonly number[]) => Math.hypot(...values)
  expect(norm(two.sums.map((value, i) => value - one.sums[i]!)) / norm(one.sums)).toBeLessThan(1e-6)
  expect(Math.abs(two.losses[1]! / one.losses[1]! - 1)).toBeLessThan(1e-6)
})

test('a variable is read where it is assigned, or nothing would order the two', () => {
  const library = new FunctionLibrary()
  const near = { name: 'near', ...float() }
  const far = { name: 'far', stage: 1, ...float() }
  const program = ({ read, assign }: ProgramScope) => {
    const there = tf.add(read(far), read(near))
    assign(near, tf.add(read(far), there))
    return { twice: tf.mul(there, read(far)) }
  }
  expect(() => traceProgram(library, 'program', {}, program)).toThrow(/is read in another segment/)
})
