// Ways to run a step, told by their settings, against the first of them: each in a process of its own, in turn, so that
// what else the machine does strikes all.
//
//   node bench/ways.mjs [--layers 8] [--workload plain] [--steps 4] [--rounds 5] [--dtype f32] \
//     --way 'one devices=["CPU:0"]' --way 'two batch.tokens=768 devices=["CPU:0","CPU:0"]'
//
// Every round computes the same steps, in the width of SmolLM2-135M; the first is not counted, since it compiles. A way is
// a name and settings without spaces. The last line is JSON.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { mean, median } from './statistics.mjs'

const SIDE = 'side'

if (process.argv[2] === SIDE) await side(JSON.parse(process.argv[3]))
else await compare()

async function compare() {
  const { values: flags } = parseArgs({
    options: {
      layers: { type: 'string', default: '8' },
      workload: { type: 'string', default: 'plain' },
      steps: { type: 'string', default: '4' },
      rounds: { type: 'string', default: '5' },
      dtype: { type: 'string', default: 'f32' },
      way: { type: 'string', multiple: true, default: [] },
    },
  })
  if (flags.way.length < 2) throw new Error('two or more of --way')
  const { BENCH_SHAPES, huggingFaceConfig } = await import('../dist/cli/bench/shapes.js')
  const { WORKLOADS } = await import('../dist/cli/bench/workloads.js')
  const { writeRandomModel } = await import('../dist/model/random-model.js')
  const { maxLength, batchTokens } = WORKLOADS[flags.workload]
  const directory = mkdtempSync(join(tmpdir(), 'bcod-ways-'))
  writeRandomModel(
    directory,
    huggingFaceConfig({ ...BENCH_SHAPES['smollm2-135m'], layers: Number(flags.layers) }, maxLength),
  )
  const shared = [
    ...[`model.path=${directory}`, `model.dtype=${flags.dtype}`, 'model.measure=false', 'lora.r=16', 'lora.alpha=32'],
    ...[`limits.maxLength=${maxLength}`, 'batch.size=8', `batch.tokens=${batchTokens}`],
  ]
  const [steps, rounds] = [Number(flags.steps), Number(flags.rounds)]
  const sides = []
  for (const [name, ...own] of flags.way.map((way) => way.split(' '))) {
    const setup = { set: [...shared, ...own], workload: flags.workload, steps }
    const child = fork(fileURLToPath(import.meta.url), [SIDE, JSON.stringify(setup)])
    await once(child, 'message')
    sides.push({ name, child, ms: [], cpu: [], last: null })
  }
  for (let run = 0; run < (1 + rounds) * steps; run++)
    for (const each of run % 2 === 0 ? sides : sides.toReversed()) {
      each.child.send(run % steps)
      const [{ ms, cpu, ...last }] = await once(each.child, 'message')
      each.last = last
      if (run < steps) continue
      each.ms.push(ms)
      each.cpu.push(cpu)
    }
  const report = sides.map((each) => reportOf(each, sides[0]))
  for (const { child } of sides) child.disconnect()
  rmSync(directory, { recursive: true, force: true })
  console.table(
    report.map(({ name, step_ms: ms, ratio, cpu_ratio: cpu, busy, peak_rss_bytes: peak, batches }) => ({
      ...{ way: name, ms: ms.toFixed(0), ratio: ratio.median.toFixed(3) },
      range: `${ratio.min.toFixed(2)} to ${ratio.max.toFixed(2)}`,
      ...{
        processor: cpu.toFixed(3),
        busy: busy.toFixed(2),
        peak_MB: (peak / 1e6).toFixed(0),
        batches: batches.join(),
      },
    })),
  )
  console.log(JSON.stringify(report))
}

function reportOf({ name, ms, cpu, last }, first) {
  const ratios = ms.map((each, i) => each / first.ms[i])
  return {
    ...{ name, step_ms: median(ms), cpu_ms: median(cpu), busy: mean(cpu) / mean(ms) / availableParallelism() },
    ratio: { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
    cpu_ratio: median(cpu.map((each, i) => each / first.cpu[i])),
    ...last,
  }
}

/** One way to run, in a process of its own: a step for each message. */
async function side({ set, workload, steps }) {
  const { loadConfig } = await import('../dist/config/config.js')
  const { cpuPlaces } = await import('../dist/config/devices.js')
  const { prepareEnvironment } = await import('../dist/engine/environment.js')
  const config = loadConfig({ env: {}, set })
  prepareEnvironment({ ...config.model, places: cpuPlaces(config.devices) }, { cpuAlone: true })
  const { benchEvents } = await import('../dist/cli/bench/events.js')
  const { Learner } = await import('../dist/learner/learner.js')
  const { readArchitecture } = await import('../dist/model/architecture.js')
  const { size } = config.batch
  const events = benchEvents(workload, steps * size, readArchitecture(config.model.path).vocabSize)
  const learner = new Learner(config, {})
  process.on('message', (step) => {
    const batch = events.slice(step * size, (step + 1) * size)
    const [before, started] = [process.cpuUsage(), performance.now()]
    learner.trainStep(batch)
    const ms = performance.now() - started
    const { user, system } = process.cpuUsage(before)
    process.send({
      ...{ ms, cpu: (user + system) / 1000, peak_rss_bytes: process.resourceUsage().maxRSS * 1024 },
      batches: learner.plan(batch).map(({ shape }) => shape.tokens),
    })
  })
  process.send('ready')
}
