import { BcodError } from '../../errors.js'
import { jobOf, type ServerDevice, serverDevices } from './server-status.js'
import { differenceOf, type WorkerIdentity } from './worker-name.js'

/**
 * Asks a worker whether it serves and whether it is one that the leader can use. To be asked before a session is opened:
 * TensorFlow waits without a limit for a worker that is away.
 *
 * @param address  `host:port`
 * @param wanted   what the leader is
 * @param timeout  milliseconds
 * @returns its devices
 * @throws WORKER_UNREACHABLE, WORKER_DIFFERS
 */
export async function probeWorker(
  address: string,
  wanted: WorkerIdentity,
  timeout: number,
): Promise<readonly ServerDevice[]> {
  const devices = await serverDevices(address, timeout).catch((cause: Error) => {
    throw new BcodError('WORKER_UNREACHABLE', cause.message, { place: address, cause })
  })
  const difference = differenceOf(jobOf(devices), wanted)
  if (difference !== null) throw new BcodError('WORKER_DIFFERS', `it ${difference}`, { place: address })
  return devices
}
