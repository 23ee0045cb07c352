import { BcodError } from '../../errors.js'
import { sessions } from '../tensorflow.js'
import { hostPort } from './address.js'
import { clusterSessionConfig, deviceOf, serverDefinition } from './definitions.js'

/** Beside one for each place: for what is sent and received meanwhile. */
const SPARE_THREADS = 2
/** Only servers of workers are asked for what they are. */
const LEADER_JOB = 'bcod_leader'

export interface LeaderOptions {
  /** The IP address that workers reach this process at, and the only one that it listens at. */
  readonly address: string
  readonly port: number
  /** Threads that share the work of one operation here. */
  readonly threads: number
  /** Threads that operations run on side by side here; more if the places need them. */
  readonly interOpThreads: number
  /** Most places that sessions will have. */
  readonly places: number
}

/** Longer than TensorFlow needs to end a run whose time is over. */
const GRACE_MS = 1000

/** What a session over leader and workers is opened with. */
export interface ClusterSession {
  readonly target: string
  /**
   * A run that has not ended after so many milliseconds is given up: TensorFlow ends no run whose worker falls silent while
   * it is told of the run's graph.
   */
  readonly runLimit: number
  /** A ConfigProto. */
  readonly config: Uint8Array
  /** Names of devices: of the leader, and of each worker in the given order. @param device  as in `CPU:0` */
  device(task: number, device: string): string
}

/**
 * This process as the leader of workers: the first task of every session, at which state lives. Its own server passes on
 * what others compute, so that what is fed and fetched here stays in memory.
 */
export class Leader {
  private constructor(
    readonly address: string,
    private readonly target: string,
  ) {}

  /** TensorFlow cannot end a server, so a process has one. */
  static #serving: Leader | null = null

  /**
   * Begins to serve, until the process ends. If it does already, it goes on as it is.
   * @throws LEADER_BIND_FAILED if it cannot listen there; INTERNAL if it listens elsewhere
   */
  static serve(options: LeaderOptions): Leader {
    Leader.#serving ??= Leader.#begin(options)
    const here = hostPort(options.address, options.port)
    if (Leader.#serving.address === here) return Leader.#serving
    throw new BcodError('INTERNAL', `this process serves at ${Leader.#serving.address} and cannot at ${here}`)
  }

  static #begin({ address, port, threads, interOpThreads, places }: LeaderOptions): Leader {
    const here = hostPort(address, port)
    const definition = serverDefinition({
      ...{ job: LEADER_JOB, address: here, threads },
      interOpThreads: Math.max(interOpThreads, places + SPARE_THREADS),
    })
    try {
      return new Leader(here, sessions.serve(definition, address))
    } catch (cause) {
      throw new BcodError('LEADER_BIND_FAILED', (cause as Error).message.split('\n', 1)[0] ?? '', {
        place: here,
        cause,
      })
    }
  }

  /**
   * A session over this process and workers that have just been asked (`probeWorker`): with one that is away, opening it
   * never returns.
   *
   * @param workers           `host:port` of each
   * @param operationTimeout  a run that takes longer has failed, milliseconds: above the longest compilation
   */
  session(workers: readonly string[], operationTimeout: number): ClusterSession {
    const config = clusterSessionConfig({ addresses: [this.address, ...workers], operationTimeout })
    return { target: this.target, config, runLimit: operationTimeout + GRACE_MS, device: deviceOf }
  }
}
