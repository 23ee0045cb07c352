/** The learner's thread. Runs the learner on its own thread, because TensorFlow's calls block for seconds. */
import { parentPort, workerData } from 'node:worker_threads'
import type { BcodError } from '../errors.js'
import { serializeError } from '../serialized-error.js'
import { learnerCalls } from './calls.js'
import { Learner } from './learner.js'
import { type Call, CLOSE_MESSAGE, type WorkerMessage, type WorkerSetup } from './protocol.js'

const port = parentPort
if (!port) throw new Error('the learner worker was not started as a worker thread')
const send = (message: WorkerMessage) => port.postMessage(message)

try {
  const { config, decoder, given = null, workers = [] } = workerData as WorkerSetup
  const onCompiled = (program: string, ms: number) => send({ kind: 'compiled', program, ms })
  const onDropped = (place: number, reason: BcodError) =>
    send({ kind: 'dropped', place, reason: serializeError(reason, 'learner') })
  const learner = new Learner(config, { decoder, given, workers, onCompiled, onDropped })
  const table = learnerCalls(learner)
  port.on('message', (message: Call | typeof CLOSE_MESSAGE) => {
    if (message === CLOSE_MESSAGE) {
      learner.dispose()
      port.close()
      return
    }
    const { id, name, args } = message
    try {
      const value = (table[name] as (...args: readonly unknown[]) => unknown)(...args)
      send({ kind: 'result', id, value })
    } catch (error) {
      send({ kind: 'failure', id, error: serializeError(error, 'learner') })
    }
  })
  const { maxLength, vocabSize, resolved, notes, placeUse: places } = learner
  send({ kind: 'ready', info: { maxLength, vocabSize, resolved, notes, places } })
} catch (error) {
  send({ kind: 'failure', id: null, error: serializeError(error, 'learner') })
}
