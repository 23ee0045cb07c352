// `make test-trl`: bcod's `replay` with bco.mode=trl against TRL's own BCOTrainer, on random models, adapters, settings
// and events. Both train the same events from the same adapter; TRL in f64 is the measure, and TRL in f32 says how far
// apart two right implementations are. TRL 1.13.0 runs in the environment of bench/trl, built if it is missing.
//
//   node tests/trl/run.mjs [--seed N] [--cases N] [--set key=value …]     --set goes to bcod; --keep leaves the files
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { PYTHON_VARIABLES, pythonEnvironment } from '../../bench/trl/environment.mjs'
import { drawCase, MAX_LENGTH } from './cases.mjs'

process.chdir(fileURLToPath(new URL('../..', import.meta.url)))

/** Of every distance. */
const TOLERANCE = 1e-5
/**
 * Beyond it, as much is allowed as rounding explains: twice the distance of TRL's f32, or that of an f64 run whose
 * gradients are disturbed by twice the rounding of TRL's f32. AdamW's step depends on the last digits of a gradient
 * near 0, so that single elements of an adapter may end anywhere within their few steps.
 */
const ROUNDING = 2
const DISTURBED = 3

const { values: given } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    cases: { type: 'string', default: '5' },
    set: { type: 'string', multiple: true, default: [] },
    keep: { type: 'boolean', default: false },
  },
})

const say = (text) => console.error(`test-trl: ${text}`)
const largest = (values) => Math.max(0, ...values) // NaN where one is
const jsonl = (path, values) => writeFileSync(path, values.map((value) => `${JSON.stringify(value)}\n`).join(''))
const linesOf = (path) => readFileSync(path, 'utf8').trimEnd().split('\n').map(JSON.parse)

function trl(jobs) {
  const answers = execFileSync(pythonEnvironment(), ['tests/trl/trl_side.py'], {
    input: JSON.stringify(jobs),
    env: { ...process.env, ...PYTHON_VARIABLES },
    stdio: ['pipe', 'pipe', 2],
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  })
  return JSON.parse(answers)
}

function bcod(settings, ...args) {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('BCOD_')))
  const own = Object.entries(settings).map(([key, value]) => `${key}=${value}`)
  const flags = [...own, ...given.set].flatMap((setting) => ['--set', setting])
  execFileSync(process.execPath, ['dist/cli.js', ...args, ...flags], {
    env: { ...env, TF_CPP_MIN_LOG_LEVEL: '2' },
    stdio: ['ignore', 'ignore', 'pipe'], // an error that this throws holds what was written
    encoding: 'utf8',
  })
}

/** Tensors of a safetensors file, F32 or F64, by name. */
function tensorsOf(path) {
  const bytes = readFileSync(path)
  const start = 8 + Number(bytes.readBigUInt64LE())
  const { __metadata__, ...header } = JSON.parse(bytes.toString('utf8', 8, start))
  const arrays = { F32: Float32Array, F64: Float64Array, I32: Int32Array }
  const read = ({ dtype, data_offsets: [from, to] }) => {
    const own = new Uint8Array(bytes.subarray(start + from, start + to)) // a copy stands at a multiple of 8
    return new arrays[dtype](own.buffer)
  }
  return new Map(Object.entries(header).map(([name, tensor]) => [name, read(tensor)]))
}

/** The gradient of a run of one step: AdamW's first moment is (1 − β₁) of it, one vector in the order of the names. */
function gradientOf(checkpoint, beta1, adapter) {
  const vector = tensorsOf(join(checkpoint, 'trainer_state.safetensors')).get('optimizer.first_moment')
  let offset = 0
  return new Map(
    [...adapter.keys()].sort().map((name) => {
      const start = offset
      offset += adapter.get(name).length
      return [name, Float64Array.from(vector.subarray(start, offset), (moment) => moment / (1 - beta1))]
    }),
  )
}

/** bcod trains the case and scores its events: what `trlResult` has of TRL. */
function train({ out, events, beta, batch, optimizer, executor }) {
  const { totalSteps, ...rates } = optimizer
  const common = { 'limits.maxLength': MAX_LENGTH, 'model.executor': executor }
  const settings = {
    ...{ ...common, 'bco.mode': 'trl', 'bco.beta': beta, 'ratio.mode': 'off' },
    ...{ 'batch.size': batch.size, 'batch.tokens': batch.tokens, 'batch.stratify': false },
    ...Object.fromEntries(Object.entries(rates).map(([key, value]) => [`optimizer.${key}`, value])),
    ...(rates.schedule === 'constant' ? {} : { 'optimizer.totalSteps': totalSteps }),
  }
  const file = (name) => join(out, name)
  const model = ['--model', file('model')]
  const replay = (name, trained) => {
    jsonl(file(`${name}.jsonl`), trained)
    const [from, to] = [file(`${name}.jsonl`), file(name)]
    bcod(settings, 'replay', ...model, '--init-adapter', file('adapter'), '--events', from, '--out', to)
    return to
  }
  const all = replay('all', events)
  const one = replay('one', events.slice(0, batch.size))
  const pairs = events.map(({ prompt_tokens, completion_tokens: tokens }) => ({
    prompt_tokens,
    chosen_tokens: tokens,
    rejected_tokens: tokens,
  }))
  jsonl(file('pairs.jsonl'), pairs)
  const adapter = join(all, 'adapter')
  bcod(common, 'eval', ...model, '--adapter', adapter, '--pairs', file('pairs.jsonl'), '--rows', file('rows.jsonl'))
  const rows = linesOf(file('rows.jsonl'))
  const tensors = tensorsOf(join(adapter, 'adapter_model.safetensors'))
  return {
    steps: linesOf(join(all, 'steps.jsonl')),
    policy: rows.map((row) => row.chosen_policy_logp),
    reference: rows.map((row) => row.chosen_reference_logp),
    adapter: tensors,
    gradient: gradientOf(join(one, 'checkpoint', 'step-00000001'), rates.beta1, tensors),
  }
}

const trlResult = ({ out }, name, answer) => ({
  ...answer,
  adapter: tensorsOf(join(out, `${name}_adapter.safetensors`)),
  gradient: tensorsOf(join(out, `${name}_gradient.safetensors`)),
})

const relative = (a, b) => Math.abs(a - b) / Math.abs(b)
/** For what may be near 0. */
const absolute = (a, b) => Math.abs(a - b) / Math.max(1, Math.abs(b))
/** Where there is none of a class, there is nothing to compare, but on both sides. */
const orBothNull = (a, b) => (a === null && b === null ? 0 : a === null || b === null ? Number.NaN : absolute(a, b))

function norm(a, b) {
  if (a?.length !== b.length) return Number.NaN
  const length = (values) => Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))
  return length(Float64Array.from(b, (value, i) => a[i] - value)) / length(Float64Array.from(b))
}

/** How far a result is from the f64 one, the farthest of each kind; NaN where they do not have the same parts. */
function distances(result, exact) {
  const sameSteps = result.steps.length === exact.steps.length
  const steps = (field, distance) =>
    sameSteps ? largest(exact.steps.map((step, i) => distance(result.steps[i][field], step[field]))) : Number.NaN
  const values = (key) => largest(exact[key].map((value, i) => relative(result[key][i], value)))
  const tensors = (key) => largest([...exact[key]].map(([name, tensor]) => norm(result[key].get(name), tensor)))
  return {
    loss: steps('loss', relative),
    delta: steps('delta', absolute),
    reward: largest([steps('reward_up_mean', orBothNull), steps('reward_down_mean', orBothNull)]),
    grad_norm: steps('grad_norm', relative),
    lr: steps('lr', relative),
    gradient: tensors('gradient'),
    adapter: result.adapter.size === exact.adapter.size ? tensors('adapter') : Number.NaN,
    logp: largest([values('policy'), values('reference')]),
  }
}

const describe = ({ name, kind, config, lora, batch, optimizer, executor, events }) =>
  [
    `${name} ${kind} ${config.num_hidden_layers}×${config.hidden_size}`,
    `r ${lora.r} on ${lora.targets.length}`,
    `${events.length} events by ${batch.size}`,
    `${optimizer.schedule}${executor === 'xla' ? ', xla' : ''}`,
  ].join(', ')

/** The farthest of each kind. */
function worstOf(all) {
  const kinds = Object.keys(all[0])
  return Object.fromEntries(kinds.map((kind) => [kind, largest(all.map((each) => each[kind]))]))
}

/** @returns how far from TRL's f64 are bcod, TRL's f32 and TRL's f64 with disturbed gradients */
function compare(job, { f64, f32, ...disturbed }) {
  const exact = trlResult(job, 'f64', f64)
  const trlDistances = (name, answer) => distances(trlResult(job, name, answer), exact)
  const ours = distances(train(job), exact)
  const single = trlDistances('f32', f32)
  const sensitivity = worstOf(Object.entries(disturbed).map(([name, answer]) => trlDistances(name, answer)))

  const kinds = Object.keys(ours)
  const beyond = kinds.filter((kind) => !(ours[kind] <= TOLERANCE))
  const passed = beyond.every((kind) => ours[kind] <= Math.max(ROUNDING * single[kind], sensitivity[kind]))
  const figure = (kind) => {
    const own = `${kind} ${ours[kind].toExponential(1)} (${single[kind].toExponential(1)})`
    return beyond.includes(kind) ? `${own} [disturbed ${sensitivity[kind].toExponential(1)}]` : own
  }
  const verdict = !passed ? 'FAIL' : beyond.length > 0 ? 'near' : 'ok  '
  say(`${verdict} ${describe(job)}: ${kinds.map(figure).join(', ')}`)
  return { passed, beyond, ours, single, sensitivity }
}

const scratch = mkdtempSync(join(tmpdir(), 'bcod-trl-'))
try {
  const seed = Number(given.seed)
  const jobs = Array.from({ length: Number(given.cases) }, (_, index) => {
    const job = drawCase(seed, index)
    return { ...job, out: join(scratch, job.name), disturbed: DISTURBED }
  })
  for (const { out } of jobs) mkdirSync(out)
  say(`TRL trains ${jobs.length} cases, each in f64, in f32 and disturbed`)
  const answers = trl(jobs)
  say("bcod's distances from TRL's f64, in brackets those of TRL's f32")
  const results = jobs.map((job, i) => compare(job, answers[i]))
  const failed = results.filter(({ passed }) => !passed).length
  console.log(
    JSON.stringify({
      ...{ seed, cases: jobs.length, failed, tolerance: TOLERANCE },
      beyond_tolerance: results.filter(({ beyond }) => beyond.length > 0).length,
      worst: worstOf(results.map(({ ours }) => ours)),
      worst_trl_f32: worstOf(results.map(({ single }) => single)),
      worst_trl_disturbed: worstOf(results.map(({ sensitivity }) => sensitivity)),
    }),
  )
  process.exitCode = failed > 0 ? 1 : 0
} finally {
  if (given.keep) say(`files are in ${scratch}`)
  else rmSync(scratch, { recursive: true, force: true })
}
