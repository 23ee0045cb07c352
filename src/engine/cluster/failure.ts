import { BcodError, type ErrorCode } from '../../errors.js'

/**
 * What TensorFlow's codes mean of a run at one worker. ABORTED comes from one that has restarted meanwhile, or whose
 * session has gone with a failed run; CANCELLED of a run that ended with the connection.
 */
const CODES: Readonly<Record<string, ErrorCode>> = {
  UNAVAILABLE: 'WORKER_LOST',
  ABORTED: 'WORKER_LOST',
  CANCELLED: 'WORKER_LOST',
  DEADLINE_EXCEEDED: 'WORKER_TIMEOUT',
}

/**
 * The error of a run if it is the worker's, so that the same run may succeed elsewhere; null if it is the run's own. Of a
 * run over several workers it may name a wrong one: start a run for each.
 *
 * @param error  of the addon, with TensorFlow's code
 * @param place  the worker's address
 */
export function workerFailure(error: unknown, place: string): BcodError | null {
  const { code, message } = error as NodeJS.ErrnoException
  const known = CODES[code ?? '']
  if (known === undefined) return null
  return new BcodError(known, reasonIn(message), { place, cause: error })
}

/** The line of TensorFlow's message that says what is wrong. Of a server's, the first says whose it is. */
export function reasonIn(message: string): string {
  const lines = message.split('\n').filter((line) => /\w/.test(line.trimEnd()))
  return (lines.find((line) => !/From \/job:\S+$/.test(line.trimEnd())) ?? lines[0] ?? '').trim().slice(0, 500)
}
