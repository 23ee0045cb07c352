import { BcodError } from '../../../errors.js'
import { reasonIn, workerFailure } from '../failure.js'
import type { KnownFile } from './kept-variable.js'
import type { KeepingDevice } from './weight-graph.js'
import { WeightServer } from './weight-server.js'

/** A server that weights are to be at. */
export interface KeepingServer {
  /** `host:port` of a worker; null: the leader, which is this process. */
  readonly worker: string | null
  readonly target: string
  readonly devices: readonly KeepingDevice[]
}

export interface KeepOptions {
  readonly files: readonly KnownFile[]
  readonly servers: readonly KeepingServer[]
  /** A load that takes longer has failed, milliseconds. */
  readonly timeout: number
  /** Told of each worker that has failed and what of: the others go on. */
  readonly onFailure: (worker: string, error: BcodError) => void
}

/**
 * Sees that servers have weights: one that has them all is left alone, others forget what they have and read their own
 * copies of the model, all at the same time. A variable is set as a whole or not at all, so one that is there is whole.
 *
 * @returns those that had to load; null is the leader
 * @throws the error of the leader's own
 */
export function keepWeights({ files, servers, timeout, onFailure }: KeepOptions): readonly (string | null)[] {
  const group = new Group(onFailure)
  try {
    group.open(servers, ({ target, devices }) => new WeightServer(target, files, devices, timeout))
    const whole = group.each((server) => () => server.isWhole)
    group.only(whole.flatMap(([at, is]) => (is ? [] : [at])))
    const expected = files.map(({ fingerprint }) => fingerprint)
    const found = group.each((server, worker) => (worker === null ? () => expected : server.startFingerprints()))
    for (const [at, values] of found) {
      const wrong = values.findIndex((value, index) => value !== expected[index])
      if (wrong >= 0) group.fail(at, differs(at, `${files[wrong]?.path} has other bytes there than here`))
    }
    // not at the leader: freeing would close the sessions that it leads
    group.each((server, worker) => () => server.prepare(worker !== null))
    const loads = group.each((server) => () => server.loads)
    const most = Math.max(0, ...loads.map(([, count]) => count))
    for (let i = 0; i < most; i++) group.each((server) => server.startLoad(i))
    return loads.map(([at]) => at)
  } finally {
    group.close()
  }
}

const differs = (worker: string | null, message: string, cause?: unknown) =>
  new BcodError('WORKER_DIFFERS', message, { ...(worker === null ? {} : { place: worker }), cause })

/** Servers that do the same at the same time, until one of them fails. */
class Group {
  #servers: ReadonlyMap<string | null, WeightServer> = new Map()
  readonly #opened: WeightServer[] = []

  constructor(private readonly onFailure: KeepOptions['onFailure']) {}

  open(servers: readonly KeepingServer[], open: (server: KeepingServer) => WeightServer): void {
    const opened = new Map<string | null, WeightServer>()
    for (const server of servers)
      this.#attempt(server.worker, () => {
        const session = open(server)
        this.#opened.push(session)
        opened.set(server.worker, session)
      })
    this.#servers = opened
  }

  only(workers: readonly (string | null)[]): void {
    this.#servers = new Map([...this.#servers].filter(([at]) => workers.includes(at)))
  }

  /** Begins something at each, then waits for all. */
  each<T>(begin: (server: WeightServer, worker: string | null) => () => T): readonly (readonly [string | null, T])[] {
    const begun = [...this.#servers].flatMap(([at, server]) =>
      this.#attempt(at, () => begin(server, at)).map((end) => [at, end] as const),
    )
    return begun.flatMap(([at, end]) => this.#attempt(at, end).map((value) => [at, value] as const))
  }

  /** Leaves a worker out of all that follows. */
  fail(at: string | null, error: BcodError): void {
    if (at === null) throw error
    this.#servers = new Map([...this.#servers].filter(([each]) => each !== at))
    this.onFailure(at, error)
  }

  close(): void {
    for (const server of this.#opened) server.close()
  }

  /** What it returns, or nothing if it fails at a worker. */
  #attempt<T>(at: string | null, run: () => T): readonly T[] {
    try {
      return [run()]
    } catch (error) {
      if (at === null) throw error
      this.fail(at, workerFailure(error, at) ?? differs(at, cannotRead(error), error))
      return []
    }
  }
}

const cannotRead = (error: unknown) => `it cannot load the model's files: ${reasonIn((error as Error).message)}`
