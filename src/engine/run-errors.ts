import { BcodError } from '../errors.js'
import { reasonIn, workerFailure } from './cluster/failure.js'

/**
 * Runs something of TensorFlow, whose errors become coded ones.
 *
 * @param what    what it is, for errors of this process
 * @param worker  the worker that it runs at, which its errors name; null: this process
 */
export function guarded<T>(what: string, worker: string | null, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw (worker === null ? null : workerFailure(cause, worker)) ?? ownFailure(worker ?? what, cause)
  }
}

function ownFailure(place: string, cause: unknown): BcodError {
  const { code, message } = cause as NodeJS.ErrnoException
  const text = code === undefined ? message : `${code}: ${message}`
  // of the volume that what was compiled is kept on
  const isDisk = /No space left on device/i.test(text)
  const isMemory = !isDisk && /RESOURCE_EXHAUSTED|OOM when allocating|out of memory/i.test(text)
  return new BcodError(
    isMemory ? 'DEVICE_OUT_OF_MEMORY' : 'TENSORFLOW_FAILED',
    code === undefined ? reasonIn(message) : `${code}: ${reasonIn(message)}`,
    { place, cause },
  )
}
