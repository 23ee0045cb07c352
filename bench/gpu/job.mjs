// What both sides of a measurement are given: a model of random weights, and the events of each step.
import { existsSync, mkdirSync, renameSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { benchEvents, WARM_UP } from '../../dist/cli/bench/events.js'
import { usefulFlops } from '../../dist/cli/bench/flops.js'
import { BENCH_SHAPES, huggingFaceConfig } from '../../dist/cli/bench/shapes.js'
import { WORKLOADS } from '../../dist/cli/bench/workloads.js'
import { parseArchitecture } from '../../dist/model/architecture.js'
import { LINEAR_LAYERS, modelTensors } from '../../dist/model/parameters.js'
import { writeRandomModel } from '../../dist/model/random-model.js'
import { median } from '../statistics.mjs'

const LORA = { r: 16, alpha: 32, targets: LINEAR_LAYERS }

/** meta-llama/Llama-3.1-8B, for its memory alone. */
const LLAMA_8B = {
  ...{ hiddenSize: 4096, intermediateSize: 14_336, layers: 32, heads: 32, kvHeads: 8, vocabSize: 128_256 },
  tied: false,
}

function configOf(shape, maxLength) {
  const { tied = true, ...given } = shape === 'llama-3.1-8b' ? LLAMA_8B : BENCH_SHAPES[shape]
  return { ...huggingFaceConfig(given, maxLength), tie_word_embeddings: tied }
}

/**
 * Makes a job in the folder `work`.
 *
 * @param of  `shape`, `workload`, `batch` events a step, `steps`; `same`: every step has the same events, so that one or
 *   two block shapes are compiled instead of ten; `set`: further settings of bcod
 * @returns the path of its file, and itself
 */
export function makeJob(work, { shape, workload = 'plain', batch = 8, steps, same = true, set = [] }) {
  const { maxLength, batchTokens } = WORKLOADS[workload]
  const config = configOf(shape, maxLength)
  const name = `${shape}-${workload}-${batch}-${steps}${same ? '' : '-all'}`
  const count = same ? 1 : WARM_UP + steps
  const events = benchEvents(workload, count * batch, config.vocab_size)
  const job = {
    model: modelIn(join(work, 'models'), `${shape}-${maxLength}`, config),
    // bcod writes the adapter that it begins with here, and PyTorch begins with it
    adapter: join(work, 'adapters', shape),
    ...{ config, warm_up: WARM_UP, steps },
    lora: { r: LORA.r, alpha: LORA.alpha },
    set: [
      ...[`limits.maxLength=${maxLength}`, `batch.size=${batch}`, `batch.tokens=${(batchTokens * batch) / 8}`],
      ...[`lora.r=${LORA.r}`, `lora.alpha=${LORA.alpha}`, ...set],
    ],
    batches: Array.from({ length: count }, (_, i) => events.slice(i * batch, (i + 1) * batch)),
  }
  const path = join(work, `${name}.json`)
  writeFileSync(path, JSON.stringify(job))
  return { path, job }
}

/** The model of that name, made if it is missing. @throws Error without room for it */
function modelIn(folder, name, config) {
  const directory = join(folder, name)
  if (existsSync(directory)) return directory
  mkdirSync(`${directory}.new`, { recursive: true })
  const tensors = modelTensors(parseArchitecture(config, name))
  const bytes = tensors.reduce((sum, { shape }) => sum + 2 * shape.reduce((a, b) => a * b, 1), 0)
  const { bavail, bsize } = statfsSync(folder)
  if (bavail * bsize < 1.1 * bytes)
    throw new Error(
      `${folder} has no room for a model of ${(bytes / 1e9).toFixed(1)} GB; --work DIR names another folder`,
    )
  writeRandomModel(`${directory}.new`, config)
  renameSync(`${directory}.new`, directory)
  return directory
}

/**
 * What was reached in the measured steps.
 *
 * @param steps  `seconds` of each
 * @param peak   of the card in TFLOP/s, or null
 */
export function rates({ config, batches, warm_up: warmUp }, steps, peak) {
  const lengths = steps.flatMap((_, i) =>
    batches[(warmUp + i) % batches.length].map(({ promptTokens, completionTokens }) => ({
      prompt: promptTokens.length,
      completion: completionTokens.length,
    })),
  )
  const tokens = lengths.reduce((sum, { prompt, completion }) => sum + prompt + completion, 0)
  const total = steps.reduce((sum, { seconds }) => sum + seconds, 0)
  const tflops = usefulFlops(parseArchitecture(config, 'job'), LORA, lengths).total / total / 1e12
  const ms = steps.map(({ seconds }) => 1000 * seconds)
  return {
    ...{ steps: steps.length, tokens, tokens_per_s: tokens / total },
    step_ms: { median: median(ms), min: Math.min(...ms), max: Math.max(...ms) },
    ...{ tflops, mfu: peak === null ? null : tflops / peak },
  }
}
