import type { Leader } from '../engine/cluster/leader.js'
import type { Places } from '../engine/index.js'
import { BcodError } from '../errors.js'
import { type NamedDevice, nameOf } from './devices.js'
import type { WeightServers } from './weight-source.js'

/** Where a model session computes: the places that `devices` names, of which it has those whose worker answers. */
export class ModelPlaces {
  /**
   * @param leader            this process; null without workers
   * @param operationTimeout  a run at a worker that takes longer has failed, milliseconds
   * @param stages            how many devices in a row are a place
   */
  constructor(
    private readonly named: readonly NamedDevice[],
    private readonly leader: Leader | null,
    private readonly operationTimeout: number,
    readonly stages = 1,
  ) {}

  /** By place, as the configuration has them; empty if TensorFlow chooses. */
  get names(): readonly string[] {
    const { named, stages } = this
    const names = named.map(nameOf)
    return names.flatMap((_, i) => (i % stages === 0 ? [names.slice(i, i + stages).join('+')] : []))
  }

  /** Where weights are kept: null in a session of this process. */
  get weightServers(): WeightServers | null {
    const { leader, operationTimeout: timeout } = this
    return leader && { target: leader.session([], timeout).target, timeout }
  }

  /**
   * The places of a session.
   * @param answering  `host:port` of workers that have just been asked (`askWorkers`)
   * @throws WORKER_UNREACHABLE if the first place needs another
   */
  over(answering: readonly string[]): Omit<Places, 'atFirstOnly'> {
    const { leader, named, stages } = this
    const workers = named.map(({ worker }) => worker)
    const missing = workers.slice(0, stages).find((worker) => worker !== null && !answering.includes(worker))
    if (missing != null)
      throw new BcodError('WORKER_UNREACHABLE', 'it has layers of the first place, without which nothing is computed', {
        place: missing,
        remedy: 'See that `bcod worker` runs there and answers, or name other devices for the stages of the model.',
      })
    if (leader === null)
      return { devices: named.map(({ device }) => (device === '' ? '' : `/device:${device}`)), stages }
    const { device, ...session } = leader.session(answering, this.operationTimeout)
    const devices = named.map((each) => {
      const task = each.worker === null ? 0 : answering.indexOf(each.worker) + 1
      return each.worker !== null && task === 0 ? null : device(task, each.device)
    })
    return { devices, workers, stages, ...session }
  }
}

/** One place, which TensorFlow chooses. */
export const ANY_PLACE = new ModelPlaces([{ device: '', worker: null }], null, 0)
