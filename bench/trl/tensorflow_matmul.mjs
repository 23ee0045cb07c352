// TensorFlow's matmul rate on given shapes, through the engine: [rows, input] · [input, output].
// For each shape the best over several numbers of rows and both ways to store the matrix; one JSON line on stdout.
// Usage: node tensorflow_matmul.mjs f32|bf16 '[[input, output], …]' ['[rows, …]']
import { availableParallelism } from 'node:os'
import { prepareEnvironment } from '../../dist/engine/environment.js'

prepareEnvironment({ threads: 0 })
const { binding, FunctionLibrary, Session, tf, traceProgram } = await import('../../dist/engine/index.js')

const [dtype, shapes, allRows = [256, 512, 1024, 2048]] = [process.argv[2], ...process.argv.slice(3).map(JSON.parse)]
const type = dtype === 'bf16' ? 'bfloat16' : 'float32'
const REPETITIONS = 3
/** Of one repetition, at least. */
const SECONDS = 0.15
/** Numbers in the matrices taken in turn, so that they come from memory as a model's layers do; and how many at most. */
const [NUMBERS, MATRICES] = [16 * 2 ** 20, 32]

const took = { wall: 0, cpu: 0 }

const programName = (rows, stored) => `rows${rows}_${stored}`

/** GFLOP/s of one shape by number of rows and storage. One call makes a product with each of the matrices. */
function rates(input, output) {
  const count = Math.min(MATRICES, Math.ceil(NUMBERS / (input * output)))
  const xs = allRows.map((rows) => ({ name: `x${rows}`, shape: [rows, input], dtype: type }))
  const stores = {
    out_in: Array.from({ length: count }, (_, i) => ({ name: `t${i}`, shape: [output, input], dtype: type })),
    in_out: Array.from({ length: count }, (_, i) => ({ name: `w${i}`, shape: [input, output], dtype: type })),
  }
  const library = new FunctionLibrary()
  const runs = allRows.flatMap((rows, i) => Object.keys(stores).map((stored) => ({ rows, stored, x: xs[i] })))
  const programs = runs.map(({ rows, stored, x }) =>
    traceProgram(
      library,
      programName(rows, stored),
      {},
      (scope) => {
        const first = tf.tensor1d([0], 'int32')
        const corners = stores[stored].map((matrix) => {
          const y = tf.matMul(scope.read(x), scope.read(matrix), false, stored === 'out_in')
          return tf.slice(tf.gather(y, first), [0, 0], [1, 1]) // so little that only the product takes time
        })
        return { corners: corners.length === 1 ? corners[0] : tf.concat(corners) }
      },
      dtype,
    ),
  )
  const variables = [...xs, ...Object.values(stores).flat()]
  const session = new Session(library, variables, programs, 'graph')
  session.write(Object.fromEntries(variables.map(({ name, shape }) => [name, noise(shape)])))
  const measured = runs.map(({ rows, stored }) => {
    const name = programName(rows, stored)
    session.run(name)
    let gflops = 0
    const [started, cpu] = [performance.now(), process.cpuUsage()]
    for (let i = 0; i < REPETITIONS; i++) {
      const begin = performance.now()
      let calls = 0
      let seconds = 0
      for (; seconds < SECONDS; seconds = (performance.now() - begin) / 1000) {
        session.run(name)
        calls++
      }
      gflops = Math.max(gflops, (calls * count * 2e-9 * rows * input * output) / seconds)
    }
    const { user, system } = process.cpuUsage(cpu)
    took.wall += performance.now() - started
    took.cpu += (user + system) / 1000
    return { gflops, rows, stored }
  })
  session.dispose()
  return measured
}

const floats = Float32Array.from({ length: 2 ** 20 }, (_, i) => ((i * 7919) % 2003) / 1001.5 - 1)
const pattern = new Uint8Array(
  dtype === 'f32' ? floats.buffer : Uint16Array.from(new Uint32Array(floats.buffer), (bits) => bits >>> 16).buffer,
)

/** Numbers within ±1, as the bytes of the type. */
function noise([rows, columns]) {
  const bytes = new Uint8Array(rows * columns * (dtype === 'f32' ? 4 : 2))
  for (let done = 0; done < bytes.length; done += pattern.length)
    bytes.set(pattern.subarray(0, bytes.length - done), done)
  return bytes
}

const best = shapes.map(([input, output]) => ({
  input,
  output,
  ...rates(input, output).reduce((a, b) => (b.gflops > a.gflops ? b : a)),
}))
const share = took.cpu / took.wall / availableParallelism()
console.log(JSON.stringify({ library: `TensorFlow ${binding.TF_Version}`, dtype, shapes: best, cpu_share: share }))
