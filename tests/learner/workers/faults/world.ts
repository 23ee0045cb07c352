import { expect } from 'vitest'
import { LostWorkers } from '../../../../src/daemon/lost-workers.js'
import type { WorkerIdentity } from '../../../../src/engine/cluster/worker-name.js'
import type { BcodError } from '../../../../src/errors.js'
import { leaderIdentity } from '../../../../src/learner/ask-workers.js'
import { learnerCalls } from '../../../../src/learner/calls.js'
import type { Learner } from '../../../../src/learner/learner.js'
import type { CallName, LearnerCalls } from '../../../../src/learner/protocol.js'
import type { RemoteLearner } from '../../../../src/learner/remote-learner.js'
import { VERSION } from '../../../../src/telemetry/version.js'
import { LEADER, Network } from '../../../support/network.js'
import { ServerAtOnce } from '../../../support/server-at-once.js'
import { SilentTelemetry } from '../../../support/silent-telemetry.js'
import { freePorts } from '../../../support/worker-process.js'
import { leaderPort, ledConfig, ledLearner, stepEvents } from '../led-learner.js'
import type { Fault } from './faults.js'
import { type Kind, step } from './kinds.js'

const OPTIONS = { given: { divergence: true, answerRows: 0 }, decoder: { rows: 2, length: 48 } }

interface Dropped {
  readonly place: number
  readonly reason: BcodError
}

/** The worker that faults happen to. */
export interface StruckWorker {
  readonly port: number
  readonly identity: WorkerIdentity
  readonly environment: NodeJS.ProcessEnv
  server: ServerAtOnce
  readonly network: Network | null
}

/** A learner over this process and two workers, and one in this process alone that computes the same. */
export class World {
  /** How many things both have computed. */
  #count = 1

  private constructor(
    readonly worker: StruckWorker,
    private readonly other: ServerAtOnce,
    readonly addresses: readonly [string, string],
    private readonly set: readonly string[],
    private readonly alone: Learner,
    private readonly led: Learner,
    /** Since somebody has emptied it. */
    readonly dropped: Dropped[],
    private readonly batchTokens: number,
  ) {}

  static async open({ silence, isOfNetwork, isLarge, environment = {} }: Fault): Promise<World> {
    const [port, otherPort] = (await freePorts(2)) as [number, number]
    const identity = await leaderIdentity(VERSION, ledConfig([]).model.path)
    const server = ServerAtOnce.start(port, identity, environment)
    const other = ServerAtOnce.start(otherPort, identity)
    const network = isOfNetwork ? await Network.around({ port, pid: server.pid }, leaderPort) : null
    const addresses = [network?.address ?? `127.0.0.1:${port}`, `127.0.0.1:${otherPort}`] as const
    const set = [
      // what falls silent is waited for so long; on a busy machine the first run of a program takes seconds
      `leader.operationTimeout=${silence ? '15s' : '60s'}`,
      ...(isOfNetwork ? [`leader.address=${LEADER}`] : []),
    ]
    const batchTokens = isLarge ? 256 : 64
    const size = [`batch.tokens=${batchTokens}`, `limits.maxLength=${batchTokens}`, ...(isLarge ? ['lora.r=64'] : [])]
    set.push(...size)
    const alone = ledLearner([], { ...OPTIONS, set: size }).learner
    const dropped: Dropped[] = []
    const onDropped = (place: number, reason: BcodError) => dropped.push({ place, reason })
    const led = ledLearner(addresses, { ...OPTIONS, set, onDropped }).learner
    const worker = { port, identity, environment, server, network }
    // an adapter that adds nothing is not computed with; the worker has run nothing yet
    step(alone, stepEvents(0, batchTokens), 0)
    led.restore(alone.adapter(), alone.state())
    return new World(worker, other, addresses, set, alone, led, dropped, batchTokens)
  }

  /** Which places are in use. */
  get used(): readonly boolean[] {
    return this.led.placeUse.map(({ used }) => used)
  }

  /** Both compute something: the results have the same bits, and so has what was learnt. */
  act(what: Kind['act'], afterLed: () => void = () => {}): void {
    const number = this.#count++
    const events = stepEvents(number, this.batchTokens)
    const result = what(this.led, events, number)
    afterLed()
    expect(result).toEqual(what(this.alone, events, number))
    this.compare()
  }

  compare(): void {
    const learnt = (learner: Learner) => [learner.adapterSha256(), learner.state()]
    expect(learnt(this.led)).toEqual(learnt(this.alone))
  }

  /** What a daemon does after a checkpoint with workers that it has lost; the events that it tells of. */
  async takeBack(): Promise<readonly string[]> {
    const telemetry = new SilentTelemetry()
    const lost = new LostWorkers({ config: ledConfig(this.addresses, this.set), telemetry })
    for (const { place, reason } of this.dropped) lost.dropped(place, reason)
    const calls = learnerCalls(this.led)
    const call = async <N extends CallName>(name: N, ...args: Parameters<LearnerCalls[N]>) =>
      (calls[name] as (...args: Parameters<LearnerCalls[N]>) => ReturnType<LearnerCalls[N]>)(...args)
    await lost.takeBack({ call } as Pick<RemoteLearner, 'call'>)
    return telemetry.names
  }

  /** As a daemon that starts again has it. */
  startAgain(): void {
    this.led.reopen(this.addresses)
  }

  async close(): Promise<void> {
    try {
      for (const each of [this.alone, this.led]) each.dispose()
    } finally {
      for (const server of [this.worker.server, this.other]) server.kill()
      await this.worker.network?.close()
    }
  }
}
