// One process with one thread, also between operations: a step for each message, its adapter for 'adapter'.
import { blockEvents } from './block-events.mjs'

const { set, places, block, vocabSize } = JSON.parse(process.argv[2])
const { prepareEnvironment } = await import('../../dist/engine/environment.js')
prepareEnvironment({ threads: 1, interOpThreads: 1 })
const { loadConfig } = await import('../../dist/config/config.js')
const { Learner } = await import('../../dist/learner/learner.js')
const learner = new Learner(loadConfig({ env: {}, set }), {})
process.on('message', (message) => {
  if (message !== 'adapter') learner.trainStep(blockEvents(message, places, block, vocabSize))
  process.send(learner.adapterSha256())
})
process.send('ready')
