// What bcod stands between, for docs/tutorial-chat-ui.md: Kafka on localhost:9092 with two topics, and vLLM on
// localhost:8000, on the CPU, with the small model that is shipped with bcod. Its data are in the folder chat.
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { startBroker } from '../../dist/demo/kafka/broker.js'
import { ensureTopics } from '../../scripts/demo-serving/topics.mjs'
import { ensureKafkaJars } from '../../scripts/kafka-jars.mjs'
import { SLOTS, servingArguments, VllmServer } from '../../scripts/vllm/server.mjs'

mkdirSync('chat', { recursive: true })
await ensureKafkaJars()
const broker = await startBroker({ dir: resolve('chat/kafka'), port: 9092 })
const args = servingArguments({ name: 'demo', rank: 8, loras: SLOTS })
const vllm = new VllmServer({ model: 'src/demo/model', args, log: 'chat/vllm.log', port: 8000 })
const end = async () => {
  await vllm.kill()
  await broker.stop()
  process.exit()
}
process.once('SIGINT', end).once('SIGTERM', end)

await ensureTopics(broker.bootstrap)
console.log('Kafka answers on localhost:9092.')
await vllm.start()
console.log('vLLM answers on localhost:8000. Ctrl-C ends both.')
