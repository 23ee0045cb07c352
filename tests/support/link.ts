import { once } from 'node:events'
import { Worker } from 'node:worker_threads'

interface End {
  readonly host: string
  readonly port: number
}

/** Towards the target, and from it to the caller. */
export type Way = 'ahead' | 'back'

const [AHEAD, BACK, PROCESS] = [0, 1, 2]

/**
 * An address whose connections lead to another one, as long as the network is whole. A way that is cut holds back what
 * comes, also of connections that are new, and all stay open. It has a thread of its own, so it works while a run blocks
 * this one.
 */
export class Link {
  private constructor(
    private readonly thread: Worker,
    private readonly state: Int32Array,
  ) {}

  static async open(from: End, target: End): Promise<Link> {
    const shared = new SharedArrayBuffer(3 * 4)
    const thread = new Worker(new URL('./link.mjs', import.meta.url), { workerData: { ...from, target, shared } })
    await once(thread, 'message')
    return new Link(thread, new Int32Array(shared))
  }

  /** Cuts concern this process's connections alone, of those that begin from here on. */
  concerns(pid: number): void {
    Atomics.store(this.state, PROCESS, pid)
  }

  /** At once. */
  cut(...ways: readonly Way[]): void {
    for (const way of ways) Atomics.store(this.state, way === 'ahead' ? AHEAD : BACK, 1)
  }

  /** What was held back goes on. */
  mend(): void {
    for (const way of [AHEAD, BACK]) Atomics.store(this.state, way, 0)
  }

  async close(): Promise<void> {
    await this.thread.terminate()
  }
}
