// A leader in a process of its own: `leader.mjs GRAPH PORT WORKER OUTPUT [TIMEOUT SUSPENDED]`. It opens a session over itself
// and a worker on a graph of cluster-graph.ts, runs one of its outputs, an echo of [5, 6], says what happens, and ends by
// itself. It stops the process SUSPENDED before the run.
import { workerFailure } from '../../dist/engine/cluster/failure.js'
import { Leader } from '../../dist/engine/cluster/leader.js'
import { sessions } from '../../dist/engine/tensorflow.js'

const [graph, port, worker, output, timeout = '60000', suspended] = process.argv.slice(2)
const leader = Leader.serve({ address: '127.0.0.1', port: Number(port), threads: 1, interOpThreads: 1, places: 2 })
const { target, config, runLimit } = leader.session([worker], Number(timeout))
const session = sessions.load(graph, target, config)
const feeds = output === 'echo1' ? [{ name: 'in1:0', shape: [2], values: Float32Array.of(5, 6) }] : []
if (suspended !== undefined) process.kill(Number(suspended), 'SIGSTOP')
const run = sessions.start(session, feeds, [`${output}:0`])
console.log('started')
// the line goes out before this thread waits
await new Promise((done) => setTimeout(done, 50))
try {
  console.log([...sessions.wait(run, runLimit)[0]].join(' '))
} catch (error) {
  console.log(workerFailure(error, worker)?.code ?? error.code)
}
sessions.close(session)
