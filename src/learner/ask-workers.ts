import type { Config } from '../config/config.js'
import { parseDevice, placesAt, workersOf } from '../config/devices.js'
import { probeWorker } from '../engine/cluster/probe.js'
import type { WorkerIdentity } from '../engine/cluster/worker-name.js'
import { tensorFlowVersion } from '../engine/cluster/worker-program.js'
import { BcodError } from '../errors.js'
import { hashModelDirectory } from '../safetensors/model-identity.js'

/** What became of workers that were asked. */
export interface AskedWorkers {
  /** `host:port` of those that can be used, in the order in which they were asked. */
  readonly answering: readonly string[]
  /** WORKER_UNREACHABLE or WORKER_DIFFERS of each of the others; `place` is its address. */
  readonly left: readonly BcodError[]
}

/**
 * What a worker must be for this leader.
 *
 * @param version  bcod's
 * @throws TENSORFLOW_MISSING, MODEL_FILE_MISSING, MODEL_TENSOR_MISSING, SAFETENSORS_INVALID
 */
export async function leaderIdentity(version: string, modelPath: string | null): Promise<WorkerIdentity> {
  const model = modelPath === null ? null : await hashModelDirectory(modelPath)
  return { version, tensorflow: await tensorFlowVersion(), model }
}

/**
 * Asks workers, all at once, whether they serve, are what the leader needs, and have the devices that are named. To be
 * asked before a session is opened: with a worker that is away, opening one never returns.
 *
 * @param workers  `host:port` of each
 */
export async function askWorkers(
  workers: readonly string[],
  wanted: WorkerIdentity,
  { devices, leader }: Pick<Config, 'devices' | 'leader'>,
): Promise<AskedWorkers> {
  const asked = await Promise.allSettled(
    workers.map(async (worker) => {
      const there = (await probeWorker(worker, wanted, leader.probeTimeout)).map(({ name }) => deviceOf(name))
      const missing = namedAt(worker, devices).filter((device) => !there.includes(device))
      if (missing.length > 0)
        throw new BcodError('WORKER_DIFFERS', `it has no ${missing.join(', ')}; there is ${there.join(', ')}`, {
          ...{ place: worker, remedy: 'Name devices in devices that the worker has.' },
        })
    }),
  )
  return {
    answering: workers.filter((_, i) => asked[i]?.status === 'fulfilled'),
    left: asked.flatMap((each) => (each.status === 'rejected' ? [each.reason as BcodError] : [])),
  }
}

/**
 * The workers of `devices` that can be used now.
 *
 * @param version  bcod's
 * @param left     told of each place whose worker cannot be used, and why
 */
export async function answeringWorkers(
  config: Pick<Config, 'devices' | 'leader' | 'model'>,
  version: string,
  left: (place: number, reason: BcodError) => void,
): Promise<readonly string[]> {
  const { devices, model } = config
  const workers = workersOf(devices)
  if (workers.length === 0) return []
  const asked = await askWorkers(workers, await leaderIdentity(version, model.path), config)
  for (const reason of asked.left) for (const place of placesAt(reason.place ?? '', config)) left(place, reason)
  return asked.answering
}

/** The devices of a worker that `devices` names, as in `GPU:0`. */
const namedAt = (worker: string, devices: Config['devices']): readonly string[] =>
  devices === 'auto'
    ? []
    : devices.flatMap((text) => {
        const device = parseDevice(text)
        return device?.worker === worker ? [`${device.kind}:${device.index}`] : []
      })

/** `GPU:0` of `/job:…/device:GPU:0`. */
const deviceOf = (name: string): string => /\/device:(\w+:\d+)$/.exec(name)?.[1] ?? name
