import { setTimeout as sleep } from 'node:timers/promises'
import kafkajs, { type Admin, type Consumer, type Message, type Producer } from 'kafkajs'
import type { Subscription } from 'rxjs'
import type { LogRecord } from '../../src/events/types.js'
import type { Assignment, FeedbackLog, RecordBatch } from '../../src/streams/source.js'

/** Waits until `condition` holds; fails after `limit` ms. */
export async function until(condition: () => boolean, limit = 60_000): Promise<void> {
  for (const end = Date.now() + limit; !condition(); await sleep(10))
    if (Date.now() > end) throw new Error(`still waiting after ${limit} ms for ${condition}`)
}

type PositionsFor = (assignment: Assignment) => ReadonlyMap<number, number> | Promise<ReadonlyMap<number, number>>

/** Where the group stands, or the start of the log. */
export const committedOrStart: PositionsFor = ({ partitions, bounds, committed }) =>
  new Map(partitions.map((partition) => [partition, committed.get(partition) ?? bounds.get(partition)?.start ?? 0]))

/** All that a subscription to a log has seen. */
export class Reading {
  readonly batches: RecordBatch[] = []
  readonly records: LogRecord[] = []
  readonly assignments: Assignment[] = []
  readonly next = new Map<number, number>()
  /** The numbers of partitions that were told while it read. */
  readonly grown: number[] = []
  revocations = 0
  error: unknown
  completed = false
  private readonly subscription: Subscription

  constructor(log: FeedbackLog, positionsFor: PositionsFor = committedOrStart) {
    this.subscription = log
      .read({
        positionsFor: async (assignment) => {
          this.assignments.push(assignment)
          return positionsFor(assignment)
        },
        revoked: () => this.revocations++,
        grown: (total) => this.grown.push(total),
      })
      .subscribe({
        next: (batch) => {
          this.batches.push(batch)
          this.records.push(...batch.records)
          this.next.set(batch.partition, batch.nextOffset)
        },
        error: (error) => {
          this.error = error
        },
        complete: () => {
          this.completed = true
        },
      })
  }

  get values(): string[] {
    return this.records.map(({ value }) => Buffer.from(value ?? []).toString())
  }

  leave(): void {
    this.subscription.unsubscribe()
  }
}

export interface OpenTransaction {
  send(messages: Message[]): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
}

/** A plain kafkajs producer and admin: what other programs do to the topic. */
export class OtherClient {
  private constructor(
    private readonly kafka: kafkajs.Kafka,
    readonly admin: Admin,
    readonly producer: Producer,
  ) {}

  static async connect(bootstrap: string, config: Partial<kafkajs.KafkaConfig> = {}): Promise<OtherClient> {
    const kafka = new kafkajs.Kafka({ brokers: [bootstrap], logLevel: kafkajs.logLevel.NOTHING, ...config })
    const createPartitioner = kafkajs.Partitioners.DefaultPartitioner
    const client = new OtherClient(kafka, kafka.admin(), kafka.producer({ createPartitioner }))
    await Promise.all([client.admin.connect(), client.producer.connect()])
    return client
  }

  async topic(topic: string, numPartitions = 1, config: Record<string, string> = {}): Promise<string> {
    const configEntries = Object.entries(config).map(([name, value]) => ({ name, value }))
    await this.admin.createTopics({ topics: [{ topic, numPartitions, configEntries }], waitForLeaders: false })
    // kafkajs' own wait fails where a busy broker does not know the topic yet, and ends before every partition takes
    // records: what its producer then sends again is in the topic twice
    for (const end = Date.now() + 60_000; ; await sleep(20)) {
      const ready = await this.admin.fetchTopicOffsets(topic).catch((error) => error)
      if (!(ready instanceof Error) && ready.length === numPartitions) return topic
      if (Date.now() > end) throw ready instanceof Error ? ready : new Error(`${topic} has ${ready.length} partitions`)
    }
  }

  async send(topic: string, messages: Message[], compression = kafkajs.CompressionTypes.None): Promise<void> {
    await this.producer.send({ topic, messages, acks: -1, compression })
  }

  /**
   * `count` messages `from`, `from`+1, …, spread over the partitions in turn. Each partition has a request of its own:
   * what kafkajs sends again after a part of a request has failed would be in the other partitions twice.
   */
  async count(topic: string, from: number, count: number, partitions = 1): Promise<void> {
    const messages = Array.from({ length: count }, (_, i) => ({
      value: `${from + i}`,
      partition: (from + i) % partitions,
    }))
    for (let partition = 0; partition < partitions; partition++)
      await this.send(
        topic,
        messages.filter((message) => message.partition === partition),
      )
  }

  /** Sends the values in one transaction and ends it. */
  async transaction(topic: string, values: string[], end: 'commit' | 'abort'): Promise<void> {
    const transaction = await this.open(topic, values)
    await transaction[end]()
  }

  /** Sends the values in a transaction that stays open until it is ended, or until one of the same name begins. */
  async open(topic: string, values: string[], name = ''): Promise<OpenTransaction> {
    const createPartitioner = kafkajs.Partitioners.DefaultPartitioner
    const retry = { initialRetryTime: 20 }
    const producer = this.kafka.producer({
      createPartitioner,
      retry,
      transactionalId: `tx-${topic}${name}`,
      idempotent: true,
      maxInFlightRequests: 1,
    })
    await producer.connect()
    const transaction = await producer.transaction()
    const send = async (messages: Message[]) => void (await transaction.send({ topic, messages }))
    await send(values.map((value) => ({ value })))
    const end = (how: 'commit' | 'abort') => async () => {
      await transaction[how]()
      await producer.disconnect()
    }
    return { send, commit: end('commit'), abort: end('abort') }
  }

  /** A plain consumer that reads on; its partitions follow the rebalances. */
  async member(groupId: string, topic: string): Promise<{ consumer: Consumer; partitions: number[] }> {
    const consumer = this.kafka.consumer({ groupId, maxWaitTimeInMs: 50, heartbeatInterval: 200 })
    const member = { consumer, partitions: [] as number[] }
    consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
      member.partitions = payload.memberAssignment[topic] ?? []
    })
    await consumer.connect()
    await consumer.subscribe({ topics: [topic] })
    await consumer.run({ autoCommit: false, eachBatch: async () => {} })
    return member
  }

  async committed(groupId: string, topic: string): Promise<Record<number, string>> {
    const [found] = await this.admin.fetchOffsets({ groupId, topics: [topic] })
    return Object.fromEntries(found?.partitions.map(({ partition, offset }) => [partition, offset]) ?? [])
  }

  async close(): Promise<void> {
    await Promise.all([this.admin.disconnect(), this.producer.disconnect()])
  }
}
