// What several places give: measured on parts of this machine's CPU, or computed for GPUs and links that are not here.
//
//   node bench/places.mjs measure [--places 2] [--threads 1] [--layers 8] [--block 512] [--steps 10]
//   node bench/places.mjs workers [--workers 1] [--link GBIT] [--layers 8] [--block 512] [--steps 10]
//   node bench/places.mjs stages [--layers 8] [--block 512] [--steps 10]
//   node bench/places.mjs sample [--places 2] [--threads 1] [--layers 8] [--rows 16] [--tokens 24] [--steps 10]
//   node bench/places.mjs model [--tflops 400] [--gigabits 10,100] [--block 16384,65536] [--call 0.0013] [--r 16]
//
// measure: one place and several, in turn in one process, the width of SmolLM2-135M, as many blocks a step as places.
// workers: one process with one thread, and a leader and workers with one each, the same way; bytes between them. --link
//   gives the connections between them so many Gbit/s, in a network of their own: it needs root, unshare, ip and tc.
// stages: one process, and its layers at a leader and a worker: memory of each, with one and two batches under way.
// sample: answers of one place and several, in turn in one process, so many rows for each place.
// model: docs/capacity.md. The last line is JSON.
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { blockEvents } from './places/block-events.mjs'
import { hasLink, runWithLink } from './places/link.mjs'
import { adapterBytes, blockSeconds, lastThatPays, SHAPES, speedUp } from './places/model.mjs'
import { measureSampling } from './places/sampling.mjs'
import { measureStages } from './places/stages.mjs'
import { measureWorkers } from './places/workers.mjs'
import { mean, median } from './statistics.mjs'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    places: { type: 'string', default: '2' },
    threads: { type: 'string', default: '1' },
    layers: { type: 'string', default: '8' },
    steps: { type: 'string', default: '10' },
    block: { type: 'string' }, // tokens
    rows: { type: 'string', default: '16' }, // prompts that a place answers at once
    tokens: { type: 'string', default: '24' }, // of an answer
    workers: { type: 'string', default: '1' },
    link: { type: 'string' }, // Gbit/s
    tflops: { type: 'string', default: '400' },
    gigabits: { type: 'string', default: '10,100' },
    call: { type: 'string', default: '0.0013' }, // seconds
    r: { type: 'string', default: '16' },
  },
})
const WARM_UP = 2
const MODELLED = [2, 4, 8, 16, 32, 64]
const numbers = (text) => text.split(',').map(Number)
const work = { measure, workers, stages, sample, model }[positionals[0] ?? '']
if (work === undefined) throw new Error('bench/places.mjs measure, workers, stages, sample, or model')
await work()

function model() {
  const flops = Number(flags.tflops) * 1e12
  const rows = ['1b', '8b', '70b'].flatMap((name) =>
    numbers(flags.block ?? '16384,65536').flatMap((tokens) =>
      numbers(flags.gigabits).map((gigabits) => {
        const bytes = adapterBytes(SHAPES[name], Number(flags.r))
        const block = blockSeconds(SHAPES[name], { tokens, flops })
        const parts = { block, bytes, link: (gigabits * 1e9) / 8, call: Number(flags.call) }
        const speedUps = Object.fromEntries(MODELLED.map((places) => [places, speedUp(places, parts)]))
        return { name, tokens, gigabits, block_s: block, adapter_bytes: bytes, speedUps, pays_to: lastThatPays(parts) }
      }),
    ),
  )
  console.table(
    rows.map(({ speedUps, adapter_bytes, block_s, ...row }) => ({
      ...row,
      adapter_MB: (adapter_bytes / 1e6).toFixed(0),
      block_s: block_s.toFixed(2),
      ...Object.fromEntries(Object.entries(speedUps).map(([places, times]) => [`×${places}`, times.toFixed(1)])),
    })),
  )
  console.log(JSON.stringify(rows))
}

async function measure() {
  const [places, steps, block] = [Number(flags.places), Number(flags.steps), Number(flags.block ?? 512)]
  const { prepareEnvironment } = await import('../dist/engine/environment.js')
  prepareEnvironment({ threads: Number(flags.threads), interOpThreads: places + 2 })
  const { BENCH_SHAPES, huggingFaceConfig } = await import('../dist/cli/bench/shapes.js')
  const { loadConfig } = await import('../dist/config/config.js')
  const { Learner } = await import('../dist/learner/learner.js')
  const { writeRandomModel } = await import('../dist/model/random-model.js')
  const shape = { ...BENCH_SHAPES['smollm2-135m'], layers: Number(flags.layers) }
  const directory = mkdtempSync(join(tmpdir(), 'bcod-places-'))
  writeRandomModel(directory, huggingFaceConfig(shape, block))
  const cpus = Array.from({ length: places }, (_, k) => `CPU:${k}`)
  const sides = ['CPU:0', cpus.join(',')].map((devices) => {
    const config = loadConfig({
      env: {},
      set: [
        ...[`model.path=${directory}`, 'lora.r=16', 'lora.alpha=32', `limits.maxLength=${block}`],
        ...[`batch.tokens=${block}`, `batch.size=${places}`, `devices=${devices}`],
      ],
    })
    return { learner: new Learner(config, {}), ms: [], cpu: [] }
  })
  for (let step = 0; step < WARM_UP + steps; step++)
    for (const side of step % 2 === 0 ? sides : sides.toReversed()) {
      const events = blockEvents(step, places, block, shape.vocabSize)
      const [cpu, started] = [process.cpuUsage(), performance.now()]
      side.learner.trainStep(events)
      if (step < WARM_UP) continue
      side.ms.push(performance.now() - started)
      const { user, system } = process.cpuUsage(cpu)
      side.cpu.push((user + system) / 1000)
    }
  const [one, several] = sides
  const same = one.learner.adapterSha256() === several.learner.adapterSha256()
  if (!same) throw new Error(`one and ${places} places have come to different adapters`)
  const used = several.learner.placeUse.filter(({ busySeconds }) => busySeconds > 0)
  if (used.length !== places) throw new Error(`${used.length} of ${places} places have computed`)
  const times = one.ms.map((ms, i) => ms / several.ms[i])
  const report = {
    places,
    threads: Number(flags.threads),
    layers: shape.layers,
    block,
    step_ms: { one: median(one.ms), several: median(several.ms) },
    speed_up: { median: median(times), min: Math.min(...times), max: Math.max(...times) },
    cpu_ms: { one: median(one.cpu), several: median(several.cpu) },
    busy: sides.map(({ ms, cpu }) => mean(cpu) / mean(ms) / availableParallelism()),
    same_adapter: same,
  }
  console.log(
    `${places} places: a step in ${report.step_ms.several.toFixed(0)} ms, one in ${report.step_ms.one.toFixed(0)}: ` +
      `${report.speed_up.median.toFixed(2)} times as fast`,
  )
  rmSync(directory, { recursive: true, force: true })
  console.log(JSON.stringify(report))
}

async function sample() {
  const { places, threads, layers, rows, tokens, steps } = flags
  const numbersOf = Object.fromEntries(
    Object.entries({ places, threads, layers, rows, tokens, steps }).map(([name, value]) => [name, Number(value)]),
  )
  const report = await measureSampling(numbersOf)
  console.log(
    `${places} places: ${report.prompts} answers in ${report.call_ms.several.toFixed(0)} ms, one in ` +
      `${report.call_ms.one.toFixed(0)}: ${report.speed_up.median.toFixed(2)} times as fast, token for token the same`,
  )
  console.log(JSON.stringify(report))
}

async function stages() {
  const numbersOf = { layers: Number(flags.layers), steps: Number(flags.steps), block: Number(flags.block ?? 512) }
  const report = await measureStages(numbersOf)
  const percent = (shares) => shares.map((share) => `${(100 * share).toFixed(0)} %`).join(' and ')
  console.log(
    `layers at two processes: ${percent(report.share_of_peak.single)} of one's memory with one batch under way, ` +
      `${percent(report.share_of_peak.several)} with two; two are ${report.speed_up.toFixed(2)} times as fast as one`,
  )
  console.log(JSON.stringify(report))
}

async function workers() {
  const link = flags.link === undefined ? null : Number(flags.link)
  if (link !== null && !hasLink()) return runWithLink(link)
  const numbersOf = { layers: Number(flags.layers), steps: Number(flags.steps), block: Number(flags.block ?? 512) }
  const report = await measureWorkers({ ...numbersOf, workers: Number(flags.workers), link }, blockEvents)
  console.log(
    `leader and ${flags.workers} workers: ${report.speed_up.median.toFixed(2)} times as fast as one process, ` +
      `${report.speed_up_of_cpu_time.toFixed(2)} by processor time, ${report.modelled_speed_up.toFixed(2)} as modelled; ` +
      `a step sends ${report.bytes_over_twice_the_adapter.toFixed(3)} times twice the adapter for each worker`,
  )
  console.log(JSON.stringify(report))
  // TensorFlow knows no end of the leader's server
  process.exit(0)
}
