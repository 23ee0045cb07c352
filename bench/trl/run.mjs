// bcod against TRL's BCOTrainer with PEFT on PyTorch: the same events, model, adapter shape, batch and type of number,
// one after the other on this machine. Prints one JSON line; docs/performance.md explains it.
//
//   node bench/trl/run.mjs [--steps 20] [--rounds 1] [--shape smollm2-135m] [--workload plain] [--dtype f32]
//                          [--trl-parts N] [--set key=value …]
//
// --set goes to bcod. --dtype measures one type of number alone: the figures of the other are null then. --trl-parts is
// into how many parts TRL cuts a batch. Each measurement is a process of its own, so that its peak memory is its own. A
// round takes the sides in turn, bcod first; of several rounds the median counts, and the highest memory.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { benchEvents, WARM_UP } from '../../dist/cli/bench/events.js'
import { usefulFlops } from '../../dist/cli/bench/flops.js'
import { BENCH_SHAPES, huggingFaceConfig } from '../../dist/cli/bench/shapes.js'
import { WORKLOADS } from '../../dist/cli/bench/workloads.js'
import { parseArchitecture } from '../../dist/model/architecture.js'
import { LINEAR_LAYERS } from '../../dist/model/parameters.js'
import { writeRandomModel } from '../../dist/model/random-model.js'
import { median } from '../statistics.mjs'
import { PYTHON_VARIABLES, pythonEnvironment } from './environment.mjs'

const BATCH = 8
const LORA = { r: 16, alpha: 32, targets: LINEAR_LAYERS }
/**
 * glibc's malloc keeps what PyTorch frees. As it comes it gives each step's logits, hundreds of megabytes, back to the
 * kernel, which clears them anew: that costs TRL up to a quarter of its speed, and is no fault of TRL's. bcod runs as
 * it comes.
 */
const KEEP_FREED = { MALLOC_MMAP_THRESHOLD_: String(2 ** 35), MALLOC_TRIM_THRESHOLD_: String(2 ** 35) }
/**
 * Into how many parts TRL cuts a batch, their gradients added up, where it is fastest: fewer events are padded to the
 * longest of them, but products of few rows are slow.
 */
const TRL_PARTS = { plain: 2, 'system-256': 2, 'system-1024': 4, conversation: 8, regenerate: 2 }
/** Steps of TRL's that are not counted. It compiles nothing: its first step gets memory, those after it are alike. */
const TRL_WARM_UP = 1
/** TRL and PyTorch keep all cores busy; below this share of them something else ran on the machine. */
const UNDISTURBED = 0.95

const { values: flags } = parseArgs({
  options: {
    steps: { type: 'string', default: '20' },
    rounds: { type: 'string', default: '1' },
    shape: { type: 'string', default: 'smollm2-135m' },
    workload: { type: 'string', multiple: true, default: Object.keys(WORKLOADS) },
    dtype: { type: 'string', multiple: true, default: ['f32', 'bf16'] },
    'trl-parts': { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
})
const DTYPES = flags.dtype
const [steps, rounds, shape] = [Number(flags.steps), Number(flags.rounds), BENCH_SHAPES[flags.shape]]
if (
  !(
    steps > 0 &&
    rounds > 0 &&
    shape &&
    flags.workload.every((name) => name in WORKLOADS) &&
    DTYPES.every((dtype) => ['f32', 'bf16'].includes(dtype))
  )
)
  throw new Error(
    `--steps and --rounds are numbers, --dtype f32 or bf16, --shape one of ${Object.keys(BENCH_SHAPES)}, --workload of ${Object.keys(WORKLOADS)}`,
  )

const path = (name) => fileURLToPath(new URL(name, import.meta.url))
const say = (text) => console.error(`bench-trl: ${text}`)

/** Runs a command and parses the last line of its output. */
function measure(what, command, args, variables = {}) {
  say(what)
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('BCOD_'))
  const env = { ...Object.fromEntries(inherited), TF_CPP_MIN_LOG_LEVEL: '2', ...variables }
  const { status, signal, stdout } = spawnSync(command, args, { env, stdio: ['ignore', 'pipe', 2], encoding: 'utf8' })
  if (status !== 0) throw new Error(`${what}: ended with ${signal ?? `exit code ${status}`}`)
  const report = JSON.parse(stdout.trimEnd().split('\n').at(-1))
  const rate = report.tokens_per_s === undefined ? '' : `${report.tokens_per_s.toFixed(1)} tokens/s, `
  say(`  ${rate}${(100 * report.cpu_share).toFixed(0)} % of all cores`)
  return report
}

const bcod = (dtype, workload) =>
  measure(`bcod, ${dtype}`, process.execPath, [
    ...[
      path('../../dist/cli.js'),
      'bench',
      '--shape',
      flags.shape,
      '--workload',
      workload,
      '--steps',
      String(steps),
      '--json',
    ],
    ...[
      `batch.size=${BATCH}`,
      `model.dtype=${dtype}`,
      `lora.r=${LORA.r}`,
      `lora.alpha=${LORA.alpha}`,
      ...flags.set,
    ].flatMap((setting) => ['--set', setting]),
  ])
const trl = (dtype, workload, python, directory) =>
  measure(
    `TRL, ${dtype}`,
    python,
    [
      ...[path('trl_side.py'), join(directory, 'model'), join(directory, 'events.json'), '--dtype', dtype],
      ...['--batch', String(BATCH), '--parts', flags['trl-parts'] ?? String(TRL_PARTS[workload])],
      ...['--warm-up', String(TRL_WARM_UP), '--steps', String(steps)],
    ],
    { ...PYTHON_VARIABLES, ...KEEP_FREED },
  )
const torchMatmul = (dtype, python, shapes) =>
  measure(
    `PyTorch's matmul, ${dtype}`,
    python,
    [path('torch_matmul.py'), '--dtype', dtype, '--shapes', shapes],
    PYTHON_VARIABLES,
  )
const tensorflowMatmul = (dtype, shapes) =>
  measure(`TensorFlow's matmul, ${dtype}`, process.execPath, [path('tensorflow_matmul.mjs'), dtype, shapes])

/** GFLOP/s over all products of a step, each shape at its own rate. */
function weightedRate(products, rates) {
  const seconds = products.reduce((sum, { input, output, flops }) => {
    const { gflops } = rates.find((rate) => rate.input === input && rate.output === output)
    return sum + flops / gflops
  }, 0)
  return products.reduce((sum, { flops }) => sum + flops, 0) / seconds
}

const over = (reports, field, of) => of(reports.map((report) => report[field]))
const highest = (values) => Math.max(...values)
const lowest = (values) => Math.min(...values)

function compare(directory, workload, python) {
  say(`events: ${workload}`)
  const { maxLength } = WORKLOADS[workload]
  const config = huggingFaceConfig(shape, maxLength)
  const events = benchEvents(workload, (WARM_UP + steps) * BATCH, shape.vocabSize)
  mkdirSync(join(directory, 'model'))
  writeRandomModel(join(directory, 'model'), config)
  const rows = events.slice((WARM_UP - TRL_WARM_UP) * BATCH).map(({ promptTokens, completionTokens, label }) => ({
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    label,
  }))
  writeFileSync(join(directory, 'events.json'), JSON.stringify(rows))
  const lengths = events
    .slice(WARM_UP * BATCH)
    .map(({ promptTokens, completionTokens }) => ({ prompt: promptTokens.length, completion: completionTokens.length }))
  const tokens = lengths.reduce((sum, { prompt, completion }) => sum + prompt + completion, 0)
  const useful = usefulFlops(parseArchitecture(config, 'config.json'), LORA, lengths)
  const shapes = JSON.stringify(useful.products.map(({ input, output }) => [input, output]))

  const reports = { bcod: { f32: [], bf16: [] }, trl: { f32: [], bf16: [] }, torch: {}, tensorflow: {} }
  for (let round = 0; round < rounds; round++) {
    if (rounds > 1) say(`round ${round + 1} of ${rounds}`)
    for (const dtype of DTYPES) {
      reports.bcod[dtype].push(bcod(dtype, workload))
      reports.trl[dtype].push(trl(dtype, workload, python, directory))
    }
  }
  for (const dtype of DTYPES) reports.torch[dtype] = torchMatmul(dtype, python, shapes)
  for (const dtype of DTYPES) reports.tensorflow[dtype] = tensorflowMatmul(dtype, shapes)
  for (const report of [...Object.values(reports.bcod), ...Object.values(reports.trl)].flat())
    if (report.tokens !== tokens) throw new Error(`one side trained ${report.tokens} tokens, not ${tokens}`)

  const of = (dtype) => (DTYPES.includes(dtype) ? figures(reports, dtype, useful, tokens) : null)
  const [f32, bf16] = [of('f32'), of('bf16')]
  const measured = [f32, bf16].filter((each) => each !== null)
  const ratio = (side, field) => side && side.bcod[field] / side.trl[field]
  const share = (side) => side && side.bcod.gflops / side.matmul_gflops
  return {
    f32_ratio: ratio(f32, 'tokens_per_s'),
    bf16_ratio: ratio(bf16, 'tokens_per_s'),
    f32_matmul_share: share(f32),
    bf16_matmul_share: share(bf16),
    rss_ratio: Math.max(...measured.map((side) => ratio(side, 'peak_rss_bytes'))),
    undisturbed: measured.every(({ trl, torch }) => Math.min(trl.cpu_share, torch.cpu_share) >= UNDISTURBED),
    shape: flags.shape,
    cpu: cpus()[0]?.model,
    cores: availableParallelism(),
    rounds,
    steps,
    tokens,
    trl_parts: reports.trl[DTYPES[0]][0].parts,
    trl_padded_tokens: reports.trl[DTYPES[0]][0].padded_tokens,
    flops_per_token: useful.total / tokens,
    flops_share: {
      frozen: useful.products.reduce((sum, { flops }) => sum + flops, 0) / useful.total,
      lora: useful.lora / useful.total,
      attention: useful.attention / useful.total,
    },
    f32,
    bf16,
  }
}

/** Everything that was measured with one type of number. */
function figures({ bcod, trl, torch, tensorflow }, dtype, useful, tokens) {
  const side = (reports) => ({
    tokens_per_s: over(reports, 'tokens_per_s', median),
    peak_rss_bytes: over(reports, 'peak_rss_bytes', highest),
    cpu_share: over(reports, 'cpu_share', lowest),
  })
  const library = ({ shapes, cpu_share }) => ({ gflops: weightedRate(useful.products, shapes), cpu_share })
  const [bcodSide, trlSide] = [side(bcod[dtype]), side(trl[dtype])]
  const libraries = { torch: library(torch[dtype]), tensorflow: library(tensorflow[dtype]) }
  return {
    bcod: { ...bcodSide, gflops: (bcodSide.tokens_per_s * useful.total) / tokens / 1e9 },
    trl: trlSide,
    matmul_gflops: Math.max(libraries.torch.gflops, libraries.tensorflow.gflops),
    ...libraries,
    matmul_by_shape: useful.products.map(({ input, output, flops }, i) => ({
      input,
      output,
      share: flops / useful.total,
      torch: bestOf(torch[dtype].shapes[i]),
      tensorflow: bestOf(tensorflow[dtype].shapes[i]),
    })),
  }
}

const bestOf = ({ gflops, rows, stored }) => ({ gflops, rows, stored })

const python = pythonEnvironment()
const results = {}
for (const workload of flags.workload) {
  const directory = mkdtempSync(join(tmpdir(), 'bcod-trl-'))
  try {
    results[workload] = compare(directory, workload, python)
    if (!results[workload].undisturbed) say('something else ran on this machine meanwhile: do it again')
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
console.log(JSON.stringify(results))
