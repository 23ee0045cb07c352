// What a step costs by its tokens and by the depth of the model, how long tracing and compiling take, what bf16 does to
// log-probabilities and rewards, and whether the same events give the same bytes. Prints a table, or with --json one
// JSON line; docs/performance.md explains it.
//
//   node bench/learner.mjs tokens|depth|compile|precision|determinism [--dtype f32|bf16] [--executor graph|xla]
//                          [--repeats 100] [--json]
import { parseArgs } from 'node:util'
import { prepareEnvironment } from '../dist/engine/environment.js'
import { eventOf, randomModel } from './random-model.mjs'

prepareEnvironment({ threads: 0 })
const { benchEvents } = await import('../dist/cli/bench/events.js')
const { BENCH_SHAPES } = await import('../dist/cli/bench/shapes.js')
const { loadConfig } = await import('../dist/config/config.js')
const { Learner } = await import('../dist/learner/learner.js')
const { packedShapes } = await import('../dist/learner/packed-shapes.js')

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dtype: { type: 'string', default: 'f32' },
    executor: { type: 'string', default: 'graph' },
    repeats: { type: 'string', default: '100' },
    json: { type: 'boolean', default: false },
  },
})
/** A random model with room for 2,048 positions. */
const model = (shape) => randomModel(shape, 2048)

const learnerOn = (path, dtype, maxLength, options = {}, ...set) => {
  const settings = [`model.path=${path}`, `model.dtype=${dtype}`, `model.executor=${flags.executor}`, 'batch.size=8']
  return new Learner(
    loadConfig({ env: {}, set: [...settings, `limits.maxLength=${maxLength}`, 'lora.r=16', 'lora.alpha=32', ...set] }),
    options,
  )
}

/** Shortest of five steps, in ms; the first is not counted. */
function stepTime(learner, events) {
  learner.trainStep(events)
  const times = Array.from({ length: 5 }, () => {
    const started = performance.now()
    learner.trainStep(events)
    return performance.now() - started
  })
  return Math.min(...times)
}

const smollm = BENCH_SHAPES['smollm2-135m']

/** One event of 64 … 2,048 tokens in a step. */
function tokens() {
  const path = model({ ...smollm, layers: 6 })
  return [64, 128, 256, 512, 1024, 2048].map((length) => {
    const learner = learnerOn(path, flags.dtype, length, {}, `batch.tokens=${length}`, 'batch.size=1')
    const ms = stepTime(learner, [eventOf(length, 0, smollm.vocabSize)])
    learner.dispose()
    return { tokens: length, step_ms: ms, us_per_token: (1000 * ms) / length }
  })
}

/** 4 to 32 layers, 512 tokens in two events. */
function depth() {
  return [4, 8, 16, 32].map((layers) => {
    const loading = performance.now()
    const learner = learnerOn(model({ ...smollm, layers }), flags.dtype, 256, {}, 'batch.tokens=512', 'batch.size=2')
    const load_ms = performance.now() - loading
    const ms = stepTime(
      learner,
      [0, 1].map((number) => eventOf(256, number, smollm.vocabSize)),
    )
    learner.dispose()
    return { layers, step_ms: ms, ms_per_layer: ms / layers, load_ms }
  })
}

/** Loading with tracing, and what a first step in each block shape costs beyond a second one. */
function compile() {
  const path = model({ ...smollm, layers: 30 })
  const loading = performance.now()
  const learner = learnerOn(path, flags.dtype, 256)
  const load_s = (performance.now() - loading) / 1000
  const { maxLength, config } = learner
  const shapes = packedShapes(maxLength, config.batch.tokens, config.batch.size)
  const costs = shapes.map(({ tokens, length }) => {
    const events = Array.from({ length: Math.ceil(tokens / length) }, (_, i) =>
      eventOf(Math.min(length, tokens - i * length), i, smollm.vocabSize),
    )
    const [first, second] = [0, 1].map(() => {
      const started = performance.now()
      learner.trainStep(events)
      return (performance.now() - started) / 1000
    })
    return first - second
  })
  learner.dispose()
  const compile_s = costs.reduce((sum, cost) => sum + cost)
  const options = { dtype: flags.dtype, executor: flags.executor }
  return [{ shapes: shapes.length, load_s, compile_s, slowest_shape_s: Math.max(...costs), ...options }]
}

/** Relative errors of bf16 against f32: summed log-probabilities, and rewards after some steps of training. */
function precision() {
  const path = model({ ...smollm, layers: 30 })
  const events = benchEvents('plain', 32, smollm.vocabSize)
  const measured = Object.fromEntries(
    ['f32', 'bf16'].map((dtype) => {
      // with weights that bf16 holds exactly: the arithmetic alone differs
      const learner = learnerOn(path, dtype, 256, { scoring: true }, 'optimizer.lr=1e-3')
      const before = learner.score(events)
      for (let i = 0; i < events.length; i += 8) learner.trainStep(events.slice(i, i + 8))
      const after = learner.score(events)
      learner.dispose()
      const rewards = after.policy.map((value, i) => 0.1 * (value - after.reference[i]))
      return [dtype, { logps: before.reference, rewards }]
    }),
  )
  const compare = (field) => {
    const [exact, rounded] = [measured.f32[field], measured.bf16[field]]
    const errors = exact.map((value, i) => Math.abs(rounded[i] - value))
    const scale = Math.sqrt(exact.reduce((sum, value) => sum + value * value, 0) / exact.length)
    const rms = Math.sqrt(errors.reduce((sum, value) => sum + value * value, 0) / errors.length)
    return { of: field, rms_value: scale, rms_error: rms, largest_error: Math.max(...errors), relative: rms / scale }
  }
  return [compare('logps'), compare('rewards')]
}

/** The same four steps from the start, over and over: how many adapters come out. */
function determinism() {
  const path = model(BENCH_SHAPES.tiny)
  const events = benchEvents('plain', 32, BENCH_SHAPES.tiny.vocabSize)
  const hashes = new Map()
  const learner = learnerOn(path, flags.dtype, 256)
  const [adapter, state] = [learner.adapter(), learner.state()]
  for (let i = 0; i < Number(flags.repeats); i++) {
    learner.restore(adapter, state)
    for (let at = 0; at < events.length; at += 8) learner.trainStep(events.slice(at, at + 8))
    const hash = learner.adapterSha256()
    hashes.set(hash, (hashes.get(hash) ?? 0) + 1)
  }
  learner.dispose()
  const threads = Number(process.env.TF_NUM_INTRAOP_THREADS)
  return [{ repeats: Number(flags.repeats), different_adapters: hashes.size, threads, dtype: flags.dtype }]
}

const kinds = { tokens, depth, compile, precision, determinism }
const kind = kinds[positionals[0]]
if (kind === undefined) throw new Error(`one of ${Object.keys(kinds).join(', ')}`)
const rows = kind()
if (flags.json) console.log(JSON.stringify({ kind: positionals[0], dtype: flags.dtype, rows }))
else
  console.table(
    rows.map((row) =>
      Object.fromEntries(
        Object.entries(row).map(([key, value]) => [
          key,
          typeof value === 'number' ? Number(value.toPrecision(4)) : value,
        ]),
      ),
    ),
  )
