// Kafka on localhost:9092 with the topic of examples/bcod.yaml, to try bcod without Docker: node examples/broker.mjs
// It needs Java 17 or newer and, the first time, Maven. Its data stay in the directory kafka.
import { resolve } from 'node:path'
import { Kafka, logLevel } from 'kafkajs'
import { startBroker } from '../dist/demo/kafka/broker.js'
import { ensureKafkaJars } from '../scripts/kafka-jars.mjs'

await ensureKafkaJars()
const broker = await startBroker({ dir: resolve('kafka'), port: 9092 })
process.once('SIGINT', () => broker.stop())
process.once('SIGTERM', () => broker.stop())

const admin = new Kafka({ brokers: [broker.bootstrap], logLevel: logLevel.NOTHING }).admin()
await admin.connect()
await admin.createTopics({ topics: [{ topic: 'feedback', numPartitions: 4 }] })
await admin.disconnect()
console.log('Kafka answers on localhost:9092. Ctrl-C stops it.')
