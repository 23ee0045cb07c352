import type { Broker } from 'kafkajs'
import { BcodError } from '../../errors.js'
import { decoderOf, encoder, sendRaw, supports } from './protocol.js'

const CONSUMER_GROUP_DESCRIBE = 69
const NO_TAGS = 0

/**
 * Number of members of a group of the new protocol (`group.protocol=consumer`, KIP-848); 0 for a classic group.
 * bcod uses the classic protocol: these are other programs, and DescribeGroups does not list them.
 */
export async function newProtocolMembers(coordinator: Broker, groupId: string): Promise<number> {
  if (!supports(coordinator, CONSUMER_GROUP_DESCRIBE, 0)) return 0
  return sendRaw(coordinator, {
    apiKey: CONSUMER_GROUP_DESCRIBE,
    apiVersion: 0,
    apiName: 'ConsumerGroupDescribe',
    encode: () =>
      encoder()
        .writeUVarInt(NO_TAGS) // ends the header
        .writeUVarInt(1 + 1) // one group
        .writeUVarIntString(groupId)
        .writeBoolean(false)
        .writeUVarInt(NO_TAGS),
    decode: (bytes) => {
      const decoder = decoderOf(bytes)
      decoder.readTaggedFields() // of the header
      decoder.readInt32() // throttle time
      if (decoder.readUVarInt() - 1 < 1) return 0
      const error = decoder.readInt16()
      decoder.readUVarIntString() // its message
      decoder.readUVarIntString() // group
      decoder.readUVarIntString() // state
      decoder.readInt32() // epoch
      decoder.readInt32() // epoch of the assignment
      decoder.readUVarIntString() // assignor
      return error === 0 ? decoder.readUVarInt() - 1 : 0
    },
  })
}

/** Other programs are in the group. */
export const groupShared = (groupId: string, members: number): BcodError =>
  new BcodError(
    'KAFKA_GROUP_SHARED',
    `${members} of its members speak the new group protocol (group.protocol=consumer, KIP-848), which bcod does not: they are other programs`,
    { place: groupId },
  )
