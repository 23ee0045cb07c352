import { BcodError } from '../errors.js'

/** The error of a port that could not be opened. @param place  host and port */
export function bindError(error: unknown, place: string): BcodError {
  const { code } = error as NodeJS.ErrnoException
  const details = { place, cause: error }
  return code === 'EADDRINUSE'
    ? new BcodError('SERVER_PORT_IN_USE', 'the port is taken', details)
    : new BcodError('SERVER_BIND_FAILED', code ?? 'unknown reason', details)
}
