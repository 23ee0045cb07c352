/** The learner's thread. TensorFlow's calls are synchronous and long: here they hold up nobody. */
import { parentPort, workerData } from 'node:worker_threads'
import { carry } from '../carried-error.js'
import { liveTensors, usesGpu } from '../engine/index.js'
import { Learner } from './learner.js'
import { type Call, CLOSE, type LearnerCalls, type WorkerMessage, type WorkerSetup } from './protocol.js'

const port = parentPort
if (!port) throw new Error('the learner worker was not started as a worker thread')
const send = (message: WorkerMessage) => port.postMessage(message)

function calls(learner: Learner): LearnerCalls {
  return {
    trainStep(events) {
      const started = performance.now()
      const outcome = learner.trainStep(events)
      return { ...outcome, durationMs: performance.now() - started }
    },
    generate: (prompts, options) => learner.generate(prompts, options),
    snapshot: () => ({ step: learner.step, delta: learner.delta, adapter: learner.adapter(), state: learner.state() }),
    restore: ({ adapter, state }) => learner.restore(adapter, state),
    device: () => ({ tensors: liveTensors(), memoryBytes: usesGpu() ? null : process.memoryUsage.rss() }),
  }
}

try {
  const { config, executor, decoder } = workerData as WorkerSetup
  const onCompiled = (program: string, ms: number) => send({ kind: 'compiled', program, ms })
  const learner = new Learner(config, { executor, decoder, onCompiled })
  const table = calls(learner)
  port.on('message', (message: Call | typeof CLOSE) => {
    if (message === CLOSE) {
      learner.dispose()
      port.close()
      return
    }
    const { id, name, args } = message
    try {
      const value = (table[name] as (...args: readonly unknown[]) => unknown)(...args)
      send({ kind: 'result', id, value })
    } catch (error) {
      send({ kind: 'failure', id, error: carry(error, 'learner') })
    }
  })
  const { maxLength, vocabSize, resolved, notes } = learner
  send({ kind: 'ready', info: { maxLength, vocabSize, resolved, notes } })
} catch (error) {
  send({ kind: 'failure', id: null, error: carry(error, 'learner') })
}
