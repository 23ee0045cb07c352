// bcod's side of a measurement, a process of its own: `node train.mjs JOB CACHE [--set key=value …]`, with a job of
// job.mjs and a folder for what XLA compiles. It tells each thing as it happens, as a line of JSON, so that an early end
// loses nothing: {event: loaded | compiled | warm | step | done, at (ms), …}.
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { writeAdapter } from '../../../dist/adapters/weights/peft.js'
import { openLearner } from '../../../dist/cli/open-learner.js'
import { loadConfig } from '../../../dist/config/config.js'

const { values: flags, positionals } = parseArgs({
  allowPositionals: true,
  options: { set: { type: 'string', multiple: true, default: [] } },
})
const [file, cache] = positionals
const { model, adapter, set, warm_up: warmUp, steps, batches } = JSON.parse(readFileSync(file, 'utf8'))
const say = (event, line) => console.log(JSON.stringify({ event, at: Date.now(), ...line }))
const seconds = (since) => (performance.now() - since) / 1000
mkdirSync(cache, { recursive: true })

let began = performance.now()
let compileMs = 0
const onCompiled = (_, ms) => {
  compileMs += ms
}
const settings = [`model.path=${model}`, `model.compilationCache=${cache}`, ...set, ...flags.set]
// the rule decides how the programs run: nothing is tried out before the clock starts
const byRule = { source: 'rule', reason: '', settings: {}, trials: [] }
const learner = await openLearner(loadConfig({ env: {}, set: settings }), { onCompiled }, byRule)
if (!existsSync(adapter)) writeAdapter(adapter, learner.adapter())
const { device, executor, dtype, tf32 } = learner.resolved
say('loaded', { device, executor, dtype, tf32: tf32 ?? null, load_s: seconds(began) })

const blocks = new Map(
  batches.flatMap((events) => learner.plan(events).map(({ shape, events: own }) => [shape, own.map((i) => events[i])])),
)
const [initial, state] = [learner.adapter(), learner.state()]
for (const [{ tokens }, events] of blocks) say('compiled', { tokens, ...train(events) })
// what compiled has trained as well
learner.restore(initial, state)
for (let i = 0; i < warmUp + steps; i++) say(i < warmUp ? 'warm' : 'step', train(batches[i % batches.length]))
say('done', {
  compile_s: compileMs / 1000,
  blocks: learner.plan(batches[0]).length,
  places: learner.placeUse.map(({ device: name, used }) => ({ device: name || device, used })),
  peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
  adapter_sha256: learner.adapterSha256(),
})
learner.dispose()

function train(events) {
  began = performance.now()
  const { applied, refused, blockLimit } = learner.trainStep(events)
  const took = seconds(began)
  if (applied === null || refused.length > 0) throw new Error('the device has no memory for these events')
  return { seconds: took, loss: applied.loss, grad_norm: applied.gradNorm, block_limit: blockLimit }
}
