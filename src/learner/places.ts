import type { Leader } from '../engine/cluster/leader.js'
import type { Places } from '../engine/index.js'
import { type NamedPlace, nameOf } from './devices.js'
import type { WeightServers } from './weight-source.js'

/** Where a model session computes: the places that `devices` names, of which it has those whose worker answers. */
export class ModelPlaces {
  /**
   * @param leader            this process; null without workers
   * @param operationTimeout  a run at a worker that takes longer has failed, milliseconds
   */
  constructor(
    private readonly named: readonly NamedPlace[],
    private readonly leader: Leader | null,
    private readonly operationTimeout: number,
  ) {}

  /** By place, as the configuration has them; empty if TensorFlow chooses. */
  get names(): readonly string[] {
    return this.named.map(nameOf)
  }

  /** Where weights are kept: null in a session of this process. */
  get weightServers(): WeightServers | null {
    const { target } = this.over([])
    return target === undefined ? null : { target, timeout: this.operationTimeout }
  }

  /**
   * The places of a session.
   * @param answering  `host:port` of workers that have just been asked (`askWorkers`)
   */
  over(answering: readonly string[]): Omit<Places, 'atFirstOnly'> {
    const { leader, named } = this
    if (leader === null) return { devices: named.map(({ device }) => (device === '' ? '' : `/device:${device}`)) }
    const { target, config, device } = leader.session(answering, this.operationTimeout)
    return {
      devices: named.map((place) => {
        const task = place.worker === null ? 0 : answering.indexOf(place.worker) + 1
        return place.worker !== null && task === 0 ? null : device(task, place.device)
      }),
      workers: named.map(({ worker }) => worker),
      ...{ target, config },
    }
  }
}

/** One place, which TensorFlow chooses. */
export const ANY_PLACE = new ModelPlaces([{ device: '', worker: null }], null, 0)
