import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { BcodError } from '../../errors.js'
import { addonPath } from '../own-addons.js'

/** TensorFlow's version, as the worker's program has it. @throws TENSORFLOW_MISSING before the set-up */
export async function tensorFlowVersion(): Promise<string> {
  try {
    const { stdout } = await promisify(execFile)(addonPath('worker'), ['--version'], { timeout: 60_000 })
    return stdout.trim()
  } catch (cause) {
    throw new BcodError('TENSORFLOW_MISSING', "the worker's program could not be run", { cause })
  }
}
