import { pinCommitsToGeneration } from './commit-generation.js'
import { closeAfterFailedLogin } from './failed-login.js'
import { sendHeartbeatsAfterClockStep } from './heartbeat-clock.js'
import { stopIdleTimer } from './idle-timer.js'
import { assertVersion, markPatched } from './kafkajs.js'
import { refuseOffsetReset } from './no-offset-reset.js'
import { handOnRawFetches } from './raw-fetch.js'

/**
 * Replaces methods of kafkajs, for the whole process. Each patch says what it mends and which report upstream would make
 * it unnecessary; docs/adr/003-kafka-through-kafkajs.md has them side by side. To be called once, before the first
 * client connects: kafkajs loads its decoders then.
 *
 * @throws if another version of kafkajs is installed, or another copy of this file has patched it
 */
export function installKafkaPatches(): void {
  assertVersion()
  markPatched()
  stopIdleTimer()
  refuseOffsetReset()
  pinCommitsToGeneration()
  closeAfterFailedLogin()
  sendHeartbeatsAfterClockStep()
  handOnRawFetches()
}
