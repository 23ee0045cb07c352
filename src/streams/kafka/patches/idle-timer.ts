import { prototypeOf } from './kafkajs.js'

interface RequestQueue {
  readonly pending: readonly unknown[]
  readonly throttledUntil: number
  scheduleCheckPendingRequests(): void
}

/**
 * After its first answer every connection sets a timer of 0 ms that sets itself again for ever, about 1,700 wake-ups a
 * second. With nothing pending and no throttle there is nothing to check: `push` and `fulfillRequest` call again when
 * there is.
 *
 * Reported: https://github.com/tulios/kafkajs/issues/1704 (open), and as a warning of Node 24 in #1751; pull request
 * #1768 silences the warning only.
 */
export function stopIdleTimer(): void {
  const queue = prototypeOf<RequestQueue>('kafkajs/src/network/requestQueue')
  const schedule = queue.scheduleCheckPendingRequests
  queue.scheduleCheckPendingRequests = function () {
    if (this.pending.length > 0 || this.throttledUntil > Date.now()) schedule.call(this)
  }
}
