import { prototypeOf } from './kafkajs.js'

interface Group {
  lastRequest: number
  heartbeat(options: { readonly interval: number }): Promise<void>
}

/**
 * Heartbeats are due by the wall clock. If it is set back by an hour, none goes out for an hour, and the group gives the
 * partitions away unnoticed. A last heartbeat that lies ahead shows this: the next one is due at once.
 *
 * No upstream report found: kafkajs 2.2.4, src/consumer/consumerGroup.js:134.
 */
export function sendHeartbeatsAfterClockStep(): void {
  const group = prototypeOf<Group>('kafkajs/src/consumer/consumerGroup')
  const heartbeat = group.heartbeat
  group.heartbeat = function (options) {
    if (this.lastRequest > Date.now()) this.lastRequest = 0
    return heartbeat.call(this, options)
  }
}
