import { BcodError } from '../errors.js'

/** Does what writes to `path`. @throws OUTPUT_UNWRITABLE if it cannot be */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write()
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new BcodError('OUTPUT_UNWRITABLE', `cannot be written (${reason})`, { place: path, cause: error })
  }
}
