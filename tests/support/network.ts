import type { sessions } from '../../src/engine/tensorflow.js'
import { Link } from './link.js'

/** Where others find a worker, and workers the leader: links. The servers listen behind them. */
const WORKER = '127.0.0.2'
export const LEADER = '127.0.0.3'
const BEHIND = '127.0.0.1'

/** The engine's own module for a leader that listens behind its link: `vi.mock` with this before a server begins. */
export function behindLink<M extends { readonly sessions: typeof sessions }>(real: M): M {
  const serve: typeof sessions.serve = (definition) => real.sessions.serve(definition, BEHIND)
  return { ...real, sessions: { ...real.sessions, serve } }
}

/** All that goes from a worker to others and back. */
export class Network {
  private constructor(
    /** `host:port` of the worker. */
    readonly address: string,
    private readonly toWorker: Link,
    private readonly toLeader: Link,
  ) {}

  /** @param worker  its server, at `BEHIND`; others call the leader without a fault */
  static async around(worker: { readonly port: number; readonly pid: number }, leaderPort: number): Promise<Network> {
    const link = (host: string, port: number) => Link.open({ host, port }, { host: BEHIND, port })
    const [toWorker, toLeader] = await Promise.all([link(WORKER, worker.port), link(LEADER, leaderPort)])
    toLeader.concerns(worker.pid)
    return new Network(`${WORKER}:${worker.port}`, toWorker, toLeader)
  }

  /** Nothing comes to the worker, and nothing from it. */
  part(): void {
    for (const link of [this.toWorker, this.toLeader]) link.cut('ahead', 'back')
  }

  /** The worker hears all others, and nobody hears it. */
  partFromWorker(): void {
    this.toWorker.cut('back')
    this.toLeader.cut('ahead')
  }

  mend(): void {
    for (const link of [this.toWorker, this.toLeader]) link.mend()
  }

  async close(): Promise<void> {
    await Promise.all([this.toWorker.close(), this.toLeader.close()])
  }
}
