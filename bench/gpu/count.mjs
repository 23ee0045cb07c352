// Trains some steps of a random model on the stand-in and says what each asked of the device, as one JSON line:
// `node count.mjs '{"shape": …, "layers": …, "workload": …, "steps": …, "set": […]}'`, in the environment of stand-in.mjs.
import { prepareEnvironment } from '../../dist/engine/environment.js'
import { randomModel } from '../random-model.mjs'
import { combine, readCounters } from './counters.mjs'

const { shape, layers, workload, steps, set } = JSON.parse(process.argv[2])
prepareEnvironment({ threads: 0 })
const { benchEvents } = await import('../../dist/cli/bench/events.js')
const { BENCH_SHAPES } = await import('../../dist/cli/bench/shapes.js')
const { WORKLOADS } = await import('../../dist/cli/bench/workloads.js')
const { loadConfig } = await import('../../dist/config/config.js')
const { Session } = await import('../../dist/engine/session.js')
const { Learner } = await import('../../dist/learner/learner.js')

const { maxLength, batchTokens } = WORKLOADS[workload]
const model = randomModel({ ...BENCH_SHAPES[shape], layers }, maxLength)

const counts = () => readCounters(process.env.BCOD_STAND_IN)
const none = combine(() => 0)
const difference = (before) => combine((a, b) => b - a, before, counts())

/** What each program asked for, by its kind; programs of one kind differ in their shapes. */
let byProgram = {}
const count = (kind, before) => {
  byProgram[kind] = combine((a, b) => a + b, byProgram[kind] ?? none, difference(before))
}
const { read, start } = Session.prototype
Session.prototype.read = function (...names) {
  const before = counts()
  const result = read.apply(this, names)
  count('read', before)
  return result
}
Session.prototype.start = function (name, ...rest) {
  const before = counts()
  const wait = start.call(this, name, ...rest)
  return () => {
    const result = wait()
    count(name.split('_')[0], before)
    return result
  }
}

let compileMs = 0
const onCompiled = (_, ms) => {
  compileMs += ms
}
const settings = [`model.path=${model}`, `limits.maxLength=${maxLength}`, `batch.tokens=${batchTokens}`, 'batch.size=8']
const learner = new Learner(loadConfig({ env: {}, set: [...settings, ...set] }), { onCompiled })
const events = benchEvents(workload, 8, learner.vocabSize)
const loaded = counts()
// the first steps compile, and load what is loaded once
for (let step = 0; step < 2; step++)
  if (learner.trainStep(events).applied === null) throw new Error('no step was applied')
const compiled = difference(loaded)
byProgram = {}
const before = counts()
for (let step = 0; step < steps; step++) learner.trainStep(events)
const each = (total) => combine((n) => n / steps, total)
const { executor, dtype, device } = learner.resolved
console.log(
  JSON.stringify({
    ...{ shape, layers, workload, dtype, executor, device, steps },
    batches: learner.plan(events).length,
    compile_s: compileMs / 1000,
    modules: compiled.modules,
    step: each(difference(before)),
    programs: Object.fromEntries(Object.entries(byProgram).map(([kind, total]) => [kind, each(total)])),
  }),
)
learner.dispose()
