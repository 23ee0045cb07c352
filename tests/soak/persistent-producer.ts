import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs from 'kafkajs'

/**
 * Sends until a broker has acknowledged it. What arrived and was not acknowledged is sent twice: its second coming is a
 * duplicate, which the topic then holds.
 */
export class PersistentProducer {
  private producer: kafkajs.Producer | null = null

  constructor(private readonly bootstrap: string) {}

  async send(topic: string, messages: kafkajs.Message[]): Promise<void> {
    for (;;) {
      try {
        this.producer ??= await this.connected()
        await this.producer.send({ topic, messages, acks: -1 })
        return
      } catch {
        await this.close()
        await sleep(300)
      }
    }
  }

  async close(): Promise<void> {
    const { producer } = this
    this.producer = null
    await producer?.disconnect().catch(() => undefined)
  }

  private async connected(): Promise<kafkajs.Producer> {
    const kafka = new kafkajs.Kafka({ brokers: [this.bootstrap], logLevel: kafkajs.logLevel.NOTHING })
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    return producer
  }
}
