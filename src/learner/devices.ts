import type { Config } from '../config/config.js'
import { parseDevice } from '../config/devices.js'
import { BcodError } from '../errors.js'

/** A place as `devices` names it. */
export interface NamedPlace {
  /** As in `GPU:1`; empty if TensorFlow chooses. */
  readonly device: string
  /** `host:port` of the worker that has the device; null: this machine. */
  readonly worker: string | null
}

/** As `devices` has it: `GPU:1`, `worker-0:2222/GPU:1`. */
export const nameOf = ({ device, worker }: NamedPlace): string => (worker === null ? device : `${worker}/${device}`)

/**
 * The places of a session, in order. A single GPU or CPU under `auto` is left to TensorFlow. What workers have is for
 * them to say.
 *
 * @param present  asks TensorFlow which devices there are on this machine, as in `GPU:0`
 * @throws DEVICE_MISSING
 */
export function resolveDevices(wanted: Config['devices'], present: () => readonly string[]): readonly NamedPlace[] {
  const gpus = present().filter((name) => name.startsWith('GPU:'))
  const here = (device: string): NamedPlace => ({ device, worker: null })
  if (wanted === 'auto') return gpus.length > 1 ? gpus.map(here) : [here('')]
  const places = wanted.flatMap((text) => {
    const device = parseDevice(text)
    return device === null ? [] : [{ device: `${device.kind}:${device.index}`, worker: device.worker }]
  })
  const missing = places.filter(
    ({ device, worker }) => worker === null && device.startsWith('GPU:') && !gpus.includes(device),
  )
  if (missing.length > 0) {
    const there = gpus.length === 0 ? 'no GPU' : gpus.join(', ')
    throw new BcodError('DEVICE_MISSING', `${missing.map(nameOf).join(', ')}: there is ${there}`, { place: 'devices' })
  }
  return places
}
