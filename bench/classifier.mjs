// What the prompt classifier costs: update and probability per event at 256 dimensions, by thousand events, for steps
// of 8 and of 1, in processor time of one core; and the size of its state. docs/performance.md has the figures.
//
//   node bench/classifier.mjs [--width 256] [--events 16000] [--json]
import { parseArgs } from 'node:util'
import { PromptClassifier } from '../dist/ratio/prompt-classifier.js'
import { mean, median } from './statistics.mjs'

const { values: flags } = parseArgs({
  options: {
    width: { type: 'string', default: '256' },
    events: { type: 'string', default: '16000' },
    json: { type: 'boolean', default: false },
  },
})
const WIDTH = Number(flags.width)
const BLOCK = 1_000
const blocks = Math.ceil(Number(flags.events) / BLOCK)

/** Two Gaussians whose means are 1.5 apart, an even mix. */
function prompts() {
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
  return Array.from({ length: BLOCK }, () => {
    const label = Math.random() < 0.5
    const embedding = Float64Array.from({ length: WIDTH }, normal)
    embedding[0] += label ? 0.75 : -0.75
    return { embedding, label }
  })
}

function cost(step) {
  const classifier = new PromptClassifier({ mode: 'online', halfLife: 16_000, seed: 1, min: 0.5, max: 10 })
  const micros = Array.from({ length: blocks }, () => {
    const all = prompts()
    const started = process.cpuUsage()
    for (let start = 0; start < BLOCK; start += step) {
      const some = all.slice(start, start + step)
      const embeddings = some.map(({ embedding }) => embedding)
      classifier.probability(embeddings)
      classifier.update(
        embeddings,
        some.map(({ label }) => label),
      )
    }
    const { user, system } = process.cpuUsage(started)
    return Math.round((user + system) / BLOCK)
  })
  const bytes = Object.values(classifier.snapshot()).reduce((sum, { byteLength }) => sum + byteLength, 0)
  return {
    step,
    mean_us: Math.round(mean(micros)),
    first_thousand_us: micros[0],
    later_us: Math.round(median(micros.slice(4))),
    state_bytes: bytes,
  }
}

cost(8) // warm
const results = [8, 1].map(cost)
if (flags.json) console.log(JSON.stringify({ width: WIDTH, results }))
else console.table(results)
