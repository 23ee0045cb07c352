import { BcodError } from '../errors.js'
import { isDiskFull, systemCode } from '../files/durable-files.js'

/** An operating-system error as the coded error that an operator can act on; any other error as it is. */
export function codedFailure(error: unknown, message: string, place: string): unknown {
  if (isDiskFull(error)) return new BcodError('CHECKPOINT_DISK_FULL', message, { place, cause: error })
  const code = systemCode(error)
  return code === undefined ? error : new BcodError('CHECKPOINT_IO', `${message} (${code})`, { place, cause: error })
}
