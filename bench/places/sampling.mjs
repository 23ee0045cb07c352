// Answers of one place and of several, in turn in one process: node bench/places.mjs sample
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { mean, median } from '../statistics.mjs'

const WARM_UP = 1
const PROMPT_TOKENS = 8

/** @param flags  places, threads, layers, rows (prompts that a place answers at once), tokens (of an answer), steps (calls) */
export async function measureSampling({ places, threads, layers, rows, tokens, steps }) {
  const { prepareEnvironment } = await import('../../dist/engine/environment.js')
  prepareEnvironment({ threads, interOpThreads: places + 2 })
  const { BENCH_SHAPES, huggingFaceConfig } = await import('../../dist/cli/bench/shapes.js')
  const { loadConfig } = await import('../../dist/config/config.js')
  const { Learner } = await import('../../dist/learner/learner.js')
  const { writeRandomModel } = await import('../../dist/model/random-model.js')
  const shape = { ...BENCH_SHAPES['smollm2-135m'], layers }
  const directory = mkdtempSync(join(tmpdir(), 'bcod-sampling-'))
  const length = PROMPT_TOKENS + tokens
  try {
    writeRandomModel(directory, huggingFaceConfig(shape, length))
    const cpus = Array.from({ length: places }, (_, k) => `CPU:${k}`)
    const sides = [['CPU:0'], cpus].map((devices) => {
      const set = [`model.path=${directory}`, 'lora.r=16', 'lora.alpha=32', `devices=${JSON.stringify(devices)}`]
      const config = loadConfig({ env: {}, set: [...set, `limits.maxLength=${length}`, `batch.tokens=${length}`] })
      return {
        learner: new Learner(config, { training: false, decoder: { rows, length } }),
        ms: [],
        cpu: [],
        answers: [],
      }
    })
    const prompts = Array.from({ length: rows * places }, (_, i) =>
      Array.from({ length: PROMPT_TOKENS }, (_, k) => 3 + ((i * 31 + k * 7) % (shape.vocabSize - 3))),
    )
    for (let call = 0; call < WARM_UP + steps; call++)
      for (const side of call % 2 === 0 ? sides : sides.toReversed()) {
        const [cpu, started] = [process.cpuUsage(), performance.now()]
        const sampling = { maxTokens: tokens, temperature: 1, seed: call, eosIds: new Set() }
        side.answers.push(side.learner.generate(prompts, sampling))
        if (call < WARM_UP) continue
        side.ms.push(performance.now() - started)
        const { user, system } = process.cpuUsage(cpu)
        side.cpu.push((user + system) / 1000)
      }
    const [one, several] = sides
    if (!isDeepStrictEqual(one.answers, several.answers)) throw new Error('one place and several have other answers')
    const used = several.learner.placeUse
    const times = one.ms.map((ms, i) => ms / several.ms[i])
    return {
      ...{ places, threads, layers, rows, tokens, prompts: prompts.length },
      call_ms: { one: median(one.ms), several: median(several.ms) },
      speed_up: { median: median(times), min: Math.min(...times), max: Math.max(...times) },
      cpu_ms: { one: median(one.cpu), several: median(several.cpu) },
      cores: sides.map(({ ms, cpu }) => mean(cpu) / mean(ms)),
      // of several: what part of the time each place had a run
      busy_shares: used.map(({ busySeconds: busy, waitSeconds: wait }) => busy / (busy + wait)),
      tokens_a_second: (1000 * tokens * prompts.length) / median(several.ms),
      same_answers: true,
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
