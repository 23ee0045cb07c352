import type { Config } from '../config/config.js'
import { parseDevice } from '../config/devices.js'
import { BcodError } from '../errors.js'

/** A device as `devices` names it. */
export interface NamedDevice {
  /** As in `GPU:1`; empty if TensorFlow chooses. */
  readonly device: string
  /** `host:port` of the worker that has the device; null: this machine. */
  readonly worker: string | null
}

/** As `devices` has it: `GPU:1`, `worker-0:2222/GPU:1`. */
export const nameOf = ({ device, worker }: NamedDevice): string => (worker === null ? device : `${worker}/${device}`)

/**
 * The devices of a session's places, one place after the other. A single GPU or CPU under `auto` is left to TensorFlow.
 * What workers have is for them to say.
 *
 * @param present  asks TensorFlow which devices there are on this machine, as in `GPU:0`
 * @param stages   devices of a place
 * @throws DEVICE_MISSING
 */
export function resolveDevices(
  wanted: Config['devices'],
  present: () => readonly string[],
  stages = 1,
): readonly NamedDevice[] {
  const gpus = present().filter((name) => name.startsWith('GPU:'))
  const here = (device: string): NamedDevice => ({ device, worker: null })
  if (wanted === 'auto') return pipelines(gpus.length > 1 ? gpus.map(here) : [here('')], stages)
  const devices = wanted.flatMap((text) => {
    const device = parseDevice(text)
    return device === null ? [] : [{ device: `${device.kind}:${device.index}`, worker: device.worker }]
  })
  const missing = devices.filter(
    ({ device, worker }) => worker === null && device.startsWith('GPU:') && !gpus.includes(device),
  )
  if (missing.length > 0) {
    const there = gpus.length === 0 ? 'no GPU' : gpus.join(', ')
    throw new BcodError('DEVICE_MISSING', `${missing.map(nameOf).join(', ')}: there is ${there}`, { place: 'devices' })
  }
  return devices.length % stages === 0 ? devices : pipelines(devices, stages)
}

/**
 * As many places as there are devices for, each as often as it has stages: so many packed batches are under way that no
 * device waits. Fewer devices than stages are one place, where each has several.
 */
function pipelines<T>(devices: readonly T[], stages: number): readonly T[] {
  const count = Math.floor(devices.length / stages)
  const device = (stage: number) => devices[Math.floor((stage * devices.length) / stages)] as T
  if (count === 0) return Array.from({ length: stages }, (_, stage) => device(stage))
  const places = devices.slice(0, count * stages)
  return Array.from({ length: stages }, () => places).flat()
}
