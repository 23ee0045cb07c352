// How many tokens steps compute if batches are chosen so that their events begin alike (`batch.lookAhead`): a count, not a
// time. Votes of several products, mixed at random, each with a system prompt of its own; lengths and labels of real
// feedback. So many events always wait. docs/adr/006-vote-semantics-and-hold-back.md has the figures.
//
//   node bench/batches.mjs [--products 4] [--system 1024] [--size 8] [--waiting 64]
import { parseArgs } from 'node:util'
import { feedbackLengths } from '../dist/cli/bench/lengths.js'
import { growTrees, walkThrough } from '../dist/learner/token-trees.js'
import { seededRandom } from '../dist/model/random.js'
import { Batcher } from '../dist/streams/batcher.js'

const number = (value) => ({ type: 'string', default: value })
const { values: flags } = parseArgs({
  options: { products: number('4'), system: number('1024'), size: number('8'), waiting: number('64') },
})
const [products, system, size, waiting] = ['products', 'system', 'size', 'waiting'].map((name) => Number(flags[name]))
const STEPS = 200

/** @param late  the events have all waited for `batch.maxLatency`, as in a daemon that is behind */
function computed(lookAhead, late) {
  const random = seededRandom(0, 'products')
  const draw = (length) => Array.from({ length }, () => Math.floor(random() * 49_152))
  const prompts = Array.from({ length: products }, () => draw(system))
  const lengths = feedbackLengths()
  const batcher = new Batcher({ size, stratify: true, lookAhead, maxLatency: late ? 1 : 0 })
  const push = (id) => {
    const { prompt, completion, label } = lengths[id % lengths.length]
    const promptTokens = [...prompts[Math.floor(random() * products)], ...draw(prompt)]
    batcher.push({ id, label, promptTokens, completionTokens: draw(completion), source: '', position: {} }, 0)
  }
  let [id, tokens, delay] = [0, 0, 0]
  for (let step = 0; step < STEPS; step++) {
    while (batcher.waiting < waiting) push(id++)
    const events = batcher.takeRest(1)
    batcher.acknowledge(events)
    const all = { tokens: Number.POSITIVE_INFINITY, sequences: size }
    tokens += growTrees(walkThrough(events), 8, all).reduce((sum, tree) => sum + tree.tokens, 0)
    // by how many steps later than in order of arrival
    delay = Math.max(delay, ...events.map((event) => step - Math.floor(event.id / size)))
  }
  return { tokens_per_step: Math.round(tokens / STEPS), most_steps_late: delay }
}

for (const late of [false, true]) {
  const byAge = computed(0, late)
  for (const lookAhead of [0, 16, 32, 64, 128, 256]) {
    const chosen = computed(lookAhead, late)
    const of_by_age = Number((chosen.tokens_per_step / byAge.tokens_per_step).toFixed(3))
    console.log(JSON.stringify({ late, lookAhead, ...chosen, of_by_age }))
  }
}
