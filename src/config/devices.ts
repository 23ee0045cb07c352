import type { Problem } from './problem.js'
import type { Config } from './schema.js'

/** A device that `devices` names: one of this machine, or of a worker. */
export interface Device {
  readonly kind: 'CPU' | 'GPU'
  readonly index: number
  /** `host:port`; null: this machine. */
  readonly worker: string | null
}

/** `GPU:1`, `worker-0.bcod-workers:2222/GPU:0`, `[fd00::7]:2222/CPU:0` */
export function parseDevice(text: string): Device | null {
  const [, worker, kind, index] =
    /^(?:((?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5})\/)?(CPU|GPU):(0|[1-9]\d?)$/.exec(text) ?? []
  return kind === undefined ? null : { kind: kind as Device['kind'], index: Number(index), worker: worker ?? null }
}

/** The workers that devices name, `host:port` of each once. */
export const workersOf = (devices: 'auto' | readonly string[]): readonly string[] =>
  devices === 'auto' ? [] : [...new Set(devices.flatMap((text) => parseDevice(text)?.worker ?? []))]

/** The devices of this machine. */
export const withoutWorkers = (devices: Config['devices']): Config['devices'] =>
  devices === 'auto' ? devices : devices.filter((text) => parseDevice(text)?.worker == null)

/** What says where places are. */
type PlaceSettings = Pick<Config, 'devices'> & { readonly model: Pick<Config['model'], 'stages'> }

/** The devices of each place, one for each stage; none if the machine decides. */
export const placesOf = ({ devices, model }: PlaceSettings): readonly (readonly string[])[] =>
  devices === 'auto'
    ? []
    : devices.flatMap((_, i) => (i % model.stages === 0 ? [devices.slice(i, i + model.stages)] : []))

/** The numbers of the places that have a device of a worker. */
export const placesAt = (worker: string, settings: PlaceSettings): readonly number[] =>
  placesOf(settings).flatMap((devices, place) => (workersOf(devices).includes(worker) ? [place] : []))

/** Whether the configuration keeps away from GPUs that there may be. */
export const onlyCpus = (devices: Config['devices']): boolean =>
  devices !== 'auto' && devices.every((text) => parseDevice(text)?.kind === 'CPU')

/** How many places there are on the CPU of this machine. */
export const cpuPlaces = (devices: Config['devices']): number =>
  devices === 'auto'
    ? 1
    : devices.map(parseDevice).filter((each) => each?.kind === 'CPU' && each.worker === null).length

/** Places agree on their bits only if they are of one kind. Which devices there are is known to the learner. */
export function* deviceRules({
  devices,
  leader,
  model,
}: Pick<Config, 'devices' | 'leader' | 'model'>): Generator<Problem> {
  if (devices === 'auto') return
  const key = 'devices'
  const parsed = devices.map(parseDevice)
  for (const [i, device] of parsed.entries()) {
    if (device === null)
      yield { key, text: `expected devices such as GPU:0, CPU:0 or HOST:PORT/GPU:0, got ${JSON.stringify(devices[i])}` }
    else if (device.worker !== null && i === 0)
      yield { key, text: `${devices[i]}: expected a device of this machine first, which has the state` }
    else if (device.worker === null && device.kind === 'CPU' && device.index > 0 && workersOf(devices).length > 0)
      yield { key, text: `${devices[i]}: expected CPU:0; beside workers a CPU is one device` }
  }
  if (workersOf(devices).length > 0 && leader.address === null)
    yield {
      key: 'leader.address',
      text: 'required if devices names a worker: the IP address at which workers reach the daemon',
    }
  if (new Set(parsed.map((device) => device?.kind)).size > 1)
    yield { key, text: 'expected GPUs alone or CPUs alone: they compute other bits' }
  if (devices.length % model.stages !== 0)
    yield { key, text: `expected ${model.stages} devices for each place (model.stages), got ${devices.length}` }
  const places = cpuPlaces(devices)
  if (places > 1 && model.interOpThreads > 0 && model.interOpThreads <= places) {
    yield {
      key: 'model.interOpThreads',
      text: `expected more than the ${places} places on the CPU, or 0, got ${model.interOpThreads}: batches would wait for each other`,
    }
  }
}
