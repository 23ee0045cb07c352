import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command, Option } from 'commander'
import { chooseExecutor } from '../engine/environment.js'
import { describeExecution } from '../learner/execution/candidates.js'
import { reasonOf } from '../learner/execution/choice.js'
import { writeRandomModel } from '../model/random-model.js'
import { measure } from './bench/measure.js'
import { BENCH_SHAPES, type BenchShapeName, huggingFaceConfig } from './bench/shapes.js'
import { WORKLOADS, type WorkloadName } from './bench/workloads.js'
import { addConfigOptions, type ConfigFlags } from './config-options.js'
import { learnerConfig } from './learner-config.js'
import { integerFrom } from './numbers.js'
import { chooseForTraining, openLearner } from './open-learner.js'
import { example, printJson, printTable, say } from './print.js'

interface BenchFlags extends ConfigFlags {
  readonly shape: BenchShapeName
  readonly workload: WorkloadName
  readonly steps?: number
  readonly json?: boolean
}

/** `bcod bench`. */
export function benchCommand(): Command {
  return addConfigOptions(new Command('bench'))
    .description('steps and tokens per second on this machine, with random weights and real feedback lengths')
    .addOption(new Option('--shape <name>', 'model to measure').choices(Object.keys(BENCH_SHAPES)).default('tiny'))
    .addOption(
      new Option('--workload <name>', 'what the events have in common')
        .choices(Object.keys(WORKLOADS))
        .default('plain'),
    )
    .option('--steps <n>', 'measured steps, after the compilation and 3 steps that do not count', integerFrom(1))
    .option('--json', 'one JSON document')
    .addHelpText(
      'after',
      example('bcod bench', 'bcod bench --shape smollm2-135m --set model.dtype=bf16 --set batch.size=16 --json'),
    )
    .action(async (flags: BenchFlags) => {
      const directory = mkdtempSync(join(tmpdir(), 'bcod-bench-'))
      try {
        await bench(flags, directory)
      } finally {
        rmSync(directory, { recursive: true, force: true })
      }
    })
}

async function bench({ shape, workload, steps, json, ...flags }: BenchFlags, model: string): Promise<void> {
  const { maxLength, batchTokens } = WORKLOADS[workload]
  const config = learnerConfig({ ...flags, model }, { limits: { maxLength }, batch: { tokens: batchTokens } })
  const says = sparsely(say)
  says(`making a model of the shape ${shape}`)
  writeRandomModel(model, huggingFaceConfig(BENCH_SHAPES[shape], maxLength))
  const choice = await chooseForTraining(config)
  let compileMs = 0
  says('loading it')
  const started = performance.now()
  const onCompiled = (_: string, ms: number) => {
    compileMs += ms
  }
  const learner = await openLearner(config, { onCompiled }, choice)
  const loadSeconds = (performance.now() - started) / 1000
  const measured = measure(learner, config, { workload, steps: steps ?? BENCH_SHAPES[shape].steps }, says)
  const { executor, kernels, dtype, threads, interOpThreads, device, tf32 } = learner.resolved
  const reason = reasonOf(choice, chooseExecutor(config.model.executor, device === 'gpu'))
  const places = learner.placeUse
  learner.dispose()
  const peakRss = process.resourceUsage().maxRSS * 1024
  const report = {
    shape,
    workload,
    device,
    places: places.map(({ device: name, used }) => ({ device: name || device, used })),
    executor,
    kernels,
    executor_reason: reason,
    executor_trials: choice.trials.map(({ execution, ratio }) => ({ way: describeExecution(execution), ratio })),
    dtype,
    ...(tf32 === undefined ? {} : { tf32 }),
    threads,
    inter_op_threads: interOpThreads,
    load_s: loadSeconds,
    compile_s: compileMs / 1000,
    ...measured,
    peak_rss_bytes: peakRss,
  }
  if (json) return printJson(report)
  printTable([
    ['events', workload],
    ['shape', `${shape}, ${dtype}, ${threads} threads`],
    ['places', report.places.map(({ device: name, used }) => (used ? name : `${name} (refused)`)).join(', ')],
    ['executor', `${describeExecution({ executor, kernels, threads, interOpThreads })} (${reason})`],
    ...choice.trials.map(
      ({ execution, ratio }) =>
        [
          '',
          `${ratio === null ? 'failed' : `${ratio.toFixed(2)} of its time`}: ${describeExecution(execution)}`,
        ] as const,
    ),
    ['load', `${loadSeconds.toFixed(1)} s`],
    ['compile', `${report.compile_s.toFixed(1)} s, the first run of each program included`],
    ['steps', `${measured.steps_per_s.toFixed(2)}/s, ${measured.step_ms.median.toFixed(1)} ms each (median)`],
    ['tokens', `${measured.tokens_per_s.toFixed(0)}/s, padding not counted`],
    ['peak memory', `${(peakRss / 2 ** 20).toFixed(0)} MiB`],
  ])
}

/** Passes a text on where none was in the last second. */
function sparsely(say: (text: string) => void): (text: string) => void {
  let last = Number.NEGATIVE_INFINITY
  return (text) => {
    const now = performance.now()
    if (now - last < 1000) return
    last = now
    say(text)
  }
}
