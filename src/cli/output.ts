import { statSync } from 'node:fs'
import { BcodError } from '../errors.js'

/**
 * Sees to it that what goes to `path` does not replace what is read from `input`, also by another name or a link.
 *
 * @throws OUTPUT_IS_INPUT
 */
export function keepInput(path: string, input: string): void {
  const [output, source] = [path, input].map((each) => statSync(each, { throwIfNoEntry: false }))
  if (output === undefined || source === undefined) return
  if (output.dev === source.dev && output.ino === source.ino)
    throw new BcodError('OUTPUT_IS_INPUT', `is the same file as ${input}`, { place: path })
}

/** Does what writes to `path`. @throws OUTPUT_UNWRITABLE if it cannot be */
export function writing<T>(path: string, write: () => T): T {
  try {
    return write()
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? 'unknown'
    throw new BcodError('OUTPUT_UNWRITABLE', `cannot be written (${reason})`, { place: path, cause: error })
  }
}
