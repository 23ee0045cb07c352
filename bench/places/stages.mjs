// Layers at one process, and half of them each at a leader and a worker: node bench/places.mjs stages
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from '../statistics.mjs'
import { cpuMs, freePort, peakBytes, startWorker } from './processes.mjs'

const WARM_UP = 1
const STAGES = 2
/** Small, so that layers are what a process holds: a tied embedding is at both ends. */
const VOCABULARY = 4096

/**
 * Each side is a process of its own, for what it holds at most; they run one after the other.
 *
 * @param flags  layers, steps, block
 */
export async function measureStages({ layers, steps, block }) {
  const { BENCH_SHAPES, huggingFaceConfig } = await import('../../dist/cli/bench/shapes.js')
  const { writeRandomModel } = await import('../../dist/model/random-model.js')
  const directory = mkdtempSync(join(tmpdir(), 'bcod-stages-'))
  const shape = { ...BENCH_SHAPES['smollm2-135m'], layers, vocabSize: VOCABULARY }
  writeRandomModel(directory, huggingFaceConfig(shape, block))
  try {
    const sideOf = (stages, underWay) => run({ directory, stages, underWay, steps, block, vocabSize: VOCABULARY })
    const whole = await sideOf(1, 1)
    const single = await sideOf(STAGES, 1)
    const several = await sideOf(STAGES, STAGES)
    const adapters = [whole, single, several].map(({ adapter }) => adapter)
    if (new Set(adapters).size > 1) throw new Error(`the sides have come to different adapters: ${adapters.join(', ')}`)
    const shareOf = (side) => side.peak_bytes.map((bytes) => bytes / whole.peak_bytes[0])
    return {
      ...{ stages: STAGES, threads: 1, layers, block, vocabulary: VOCABULARY },
      sides: { whole, single, several },
      share_of_peak: { single: shareOf(single), several: shareOf(several) },
      // two batches under way against one
      speed_up: single.step_ms / several.step_ms,
      same_adapter: true,
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

async function run(spec) {
  const child = fork(fileURLToPath(import.meta.url), [JSON.stringify(spec)])
  const [report] = await Promise.race([once(child, 'message'), once(child, 'exit').then(([code]) => [code])])
  if (typeof report === 'number') throw new Error(`a side ended with code ${report}`)
  child.kill()
  return report
}

/** One side: its times, and by process its memory and processor time. */
async function side({ directory, stages, underWay, steps, block, vocabSize }) {
  const { blockEvents } = await import('./block-events.mjs')
  const { prepareEnvironment } = await import('../../dist/engine/environment.js')
  prepareEnvironment({ threads: 1, interOpThreads: underWay + 2 })
  const { loadConfig } = await import('../../dist/config/config.js')
  const { Learner } = await import('../../dist/learner/learner.js')
  const [leaderPort, port] = [await freePort(), await freePort()]
  const server = stages > 1 ? await startWorker(port, underWay) : null
  const worker = `127.0.0.1:${port}`
  const place = stages > 1 ? ['CPU:0', `${worker}/CPU:0`] : ['CPU:0']
  const devices = Array.from({ length: underWay }, () => place).flat()
  const set = [
    ...[`model.path=${directory}`, 'lora.r=16', 'lora.alpha=32', `limits.maxLength=${block}`],
    ...[`batch.tokens=${block}`, `batch.size=${STAGES}`, `devices=${JSON.stringify(devices)}`],
    ...[`model.stages=${stages}`, 'leader.address=127.0.0.1', `leader.port=${leaderPort}`],
  ]
  const learner = new Learner(loadConfig({ env: {}, set }), { workers: stages > 1 ? [worker] : [] })
  const pids = [process.pid, ...(server === null ? [] : [server.pid])]
  const [ms, cpu] = [[], []]
  for (let step = 0; step < WARM_UP + steps; step++) {
    const events = blockEvents(step, STAGES, block, vocabSize)
    const [before, started] = [pids.map(cpuMs), performance.now()]
    learner.trainStep(events)
    if (step < WARM_UP) continue
    ms.push(performance.now() - started)
    cpu.push(pids.map((pid, i) => cpuMs(pid) - before[i]))
  }
  const report = {
    step_ms: median(ms),
    cpu_ms: pids.map((_, i) => median(cpu.map((all) => all[i]))),
    peak_bytes: pids.map(peakBytes),
    adapter: learner.adapterSha256(),
  }
  await server?.stop()
  process.send(report)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await side(JSON.parse(process.argv[2]))
