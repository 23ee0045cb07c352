import kafkajs from 'kafkajs'
import { prototypeOf } from './kafkajs.js'

interface OffsetManager {
  setDefaultOffset(at: { topic: string; partition: number }): Promise<void>
}

/** The offset to read next is not in the log. */
class OffsetOutOfRange extends kafkajs.KafkaJSNonRetriableError {
  readonly type = 'OFFSET_OUT_OF_RANGE'
  constructor(
    readonly topic: string,
    readonly partition: number,
  ) {
    super(`offset out of range in ${topic}-${partition}`)
  }
}

/**
 * On OFFSET_OUT_OF_RANGE kafkajs commits −1 or −2 over the group's offset, also with `autoCommit: false`, and reads on
 * elsewhere. A lost range is for the operator to decide on: here it is an error.
 *
 * Reported: https://github.com/tulios/kafkajs/issues/1119 (closed). Pull request #1777 (open) proposes
 * `autoOffsetReset: 'none'`, with which this can go.
 */
export function refuseOffsetReset(): void {
  prototypeOf<OffsetManager>('kafkajs/src/consumer/offsetManager').setDefaultOffset = ({ topic, partition }) =>
    Promise.reject(new OffsetOutOfRange(topic, partition))
}
