import type { Broker } from 'kafkajs'
import { topicMetadata } from './inside.js'
import { type Decoder, decoderOf, encoder, protocolError, sendRaw, supports } from './protocol.js'

/** The current state of a topic. */
export interface TopicDescription {
  /** Kafka's id of the topic (KIP-516), which changes when it is recreated; null if unknown. */
  readonly id: string | null
  readonly partitions: readonly PartitionDescription[]
}

export interface PartitionDescription {
  readonly partition: number
  /** Node id of the leader; null if there is none. */
  readonly leader: number | null
  /** Leader epoch (KIP-101); null if unknown. */
  readonly epoch: number | null
}

/**
 * Whether the log may no longer contain what was read of these partitions: the topic was recreated, or a partition has a
 * new leader, which may have lost the end of the log.
 */
export function mayDiffer(was: TopicDescription, is: TopicDescription, partitions: readonly number[]): boolean {
  if (was.id !== is.id) return true
  const epochs = ({ partitions }: TopicDescription) => new Map(partitions.map((each) => [each.partition, each.epoch]))
  const [before, now] = [epochs(was), epochs(is)]
  return partitions.some((partition) => before.get(partition) !== now.get(partition))
}

const METADATA = 3
/** The first version with topic ids. kafkajs supports up to 6. */
const WITH_TOPIC_ID = 10

/**
 * Requests a topic's metadata from a broker. A partition without a leader is not an error. A broker without version 10 of
 * Metadata, before Kafka 2.8, is asked through kafkajs, which returns neither id nor epochs and rejects if a partition has
 * no leader. Rejects with Kafka's error if the topic is unknown or not visible.
 */
export async function describeTopic(broker: Broker, topic: string): Promise<TopicDescription> {
  if (!supports(broker, METADATA, WITH_TOPIC_ID)) {
    const { topicMetadata: topics } = await topicMetadata(broker, topic)
    const partitions = topics[0]?.partitionMetadata ?? []
    return {
      id: null,
      partitions: partitions.map(({ partitionId, leader }) => ({ partition: partitionId, leader, epoch: null })),
    }
  }
  return sendRaw(broker, {
    apiKey: METADATA,
    apiVersion: WITH_TOPIC_ID,
    apiName: 'Metadata',
    encode: () => request(topic),
    decode: (bytes) => response(decoderOf(bytes)),
  })
}

/** https://kafka.apache.org/protocol.html#The_Messages_Metadata, request of version 10 with a header of version 2. */
function request(topic: string) {
  const NO_TAGS = 0
  return encoder()
    .writeUVarInt(NO_TAGS) // ends the header, which kafkajs writes as of version 1
    .writeUVarInt(1 + 1) // one topic
    .writeBuffer(Buffer.alloc(16)) // its id is not known
    .writeUVarIntString(topic)
    .writeUVarInt(NO_TAGS)
    .writeBoolean(false) // create no topic
    .writeBoolean(false)
    .writeBoolean(false)
    .writeUVarInt(NO_TAGS)
}

function response(decoder: Decoder): TopicDescription {
  decoder.readTaggedFields() // of the header
  decoder.readInt32() // throttle time
  decoder.readUVarIntArray(() => {
    decoder.readInt32()
    decoder.readUVarIntString()
    decoder.readInt32()
    decoder.readUVarIntString()
    decoder.readTaggedFields()
  })
  decoder.readUVarIntString() // cluster
  decoder.readInt32() // controller
  const topics = decoder.readUVarIntArray(() => readTopic(decoder)) ?? []
  const [found] = topics
  if (!found) throw protocolError(UNKNOWN_TOPIC_OR_PARTITION)
  if (found.error !== 0) throw protocolError(found.error)
  return { id: found.id === NO_ID ? null : found.id, partitions: found.partitions }
}

function readTopic(decoder: Decoder) {
  const error = decoder.readInt16()
  decoder.readUVarIntString() // its name
  const id = decoder.readBytes(16).toString('hex')
  decoder.readBoolean() // internal
  const partitions = decoder.readUVarIntArray(() => readPartition(decoder)) ?? []
  decoder.readInt32() // rights
  decoder.readTaggedFields()
  return { error, id, partitions }
}

function readPartition(decoder: Decoder): PartitionDescription {
  decoder.readInt16() // error: that there is no leader shows below
  const partition = decoder.readInt32()
  const leader = decoder.readInt32()
  const epoch = decoder.readInt32()
  // replicas, those in sync, those offline
  for (let list = 0; list < 3; list++) decoder.readUVarIntArray(() => decoder.readInt32())
  decoder.readTaggedFields()
  return { partition, leader: leader < 0 ? null : leader, epoch: epoch < 0 ? null : epoch }
}

const UNKNOWN_TOPIC_OR_PARTITION = 3
const NO_ID = '0'.repeat(32)
