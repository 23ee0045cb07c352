import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'

/**
 * The places of a session, as TensorFlow names their devices. A single GPU or CPU under `auto` is left to TensorFlow.
 *
 * @param present  asks TensorFlow which devices there are, as in `GPU:0`
 * @throws DEVICE_MISSING
 */
export function resolveDevices(wanted: Config['devices'], present: () => readonly string[]): readonly string[] {
  const gpus = present().filter((name) => name.startsWith('GPU:'))
  if (wanted === 'auto') return gpus.length > 1 ? gpus.map(deviceName) : ['']
  const missing = wanted.filter((name) => name.startsWith('GPU:') && !gpus.includes(name))
  if (missing.length > 0) {
    const there = gpus.length === 0 ? 'no GPU' : gpus.join(', ')
    throw new BcodError('DEVICE_MISSING', `${missing.join(', ')}: there is ${there}`, { place: 'devices' })
  }
  return wanted.map(deviceName)
}

const deviceName = (device: string) => `/device:${device}`
