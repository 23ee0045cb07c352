// A leader in a process of its own: `weights-leader.mjs MODEL PORT WORKER`. It opens sessions whose weights are at the worker,
// one after the other, says for each which servers had to load, and ends itself with a run under way.
import { Leader } from '../../dist/engine/cluster/leader.js'
import { FunctionLibrary, Session, tf, traceProgram } from '../../dist/engine/index.js'
import { weightSource } from '../../dist/learner/weight-source.js'
import { readArchitecture } from '../../dist/model/architecture.js'
import { LanguageModel } from '../../dist/model/language-model.js'
import { openModelTensors } from '../../dist/safetensors/directory.js'

const [directory, port, worker] = process.argv.slice(2)
const SESSIONS = 3
const STATE = { name: 'state', shape: [1 << 22], dtype: 'float32' }
const leader = Leader.serve({ address: '127.0.0.1', port: Number(port), threads: 1, interOpThreads: 1, places: 2 })
const reader = openModelTensors(directory)
const lora = { r: 4, alpha: 8, rslora: false, targets: ['q_proj'] }
const model = new LanguageModel(readArchitecture(directory), 'f32', lora)
for (let i = 0; i < SESSIONS; i++) {
  const { target, config, device } = leader.session([worker], 60_000)
  const weights = weightSource(directory, model, reader, { target, timeout: 60_000 })
  const library = new FunctionLibrary()
  const sum = ({ read }) => ({ sum: tf.sum([...weights.variables, STATE].map(read).at(-1)) })
  const places = {
    devices: [device(0, 'CPU:0'), device(1, 'CPU:0')],
    workers: [null, worker],
    atFirstOnly: [],
    target,
    config,
  }
  const programs = [traceProgram(library, 'sum', {}, sum)]
  const session = new Session(library, [...weights.variables, STATE], programs, 'graph', { places })
  const loaded = weights.load(session, reader, [worker])
  session.write({ state: new Float32Array(STATE.shape[0]).fill(1) })
  session.start('sum', {}, 1)()
  console.log(JSON.stringify(loaded.map((each) => each ?? 'leader')))
  if (i < SESSIONS - 1) session.dispose()
}
process.kill(process.pid, 'SIGKILL')
