import type { Registry } from '../adapters/registry.js'
import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { LearnerSnapshot } from '../learner/protocol.js'
import { Failed } from '../telemetry/events/daemon.js'
import { AdapterPublished } from '../telemetry/events/storage.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import type { RegistryWatch } from './registry-watch.js'
import type { VoteTally } from './vote-tally.js'

export interface AdapterPublisherParts {
  readonly registry: Registry
  readonly watch: RegistryWatch
  readonly tally: VoteTally
  /** Hash of the settings that decide what is learnt. */
  readonly configSha256: string
  /** How many versions stay. */
  readonly keep: number
  readonly telemetry: Telemetry
  /** Called at each point that is reached. */
  readonly stage: (stage: string) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** What a version is made of, and the checkpoint that holds it. */
export type PublishedSnapshot = Pick<LearnerSnapshot, 'adapter' | 'step' | 'delta'> & {
  readonly checkpoint: string | null
}

/** Adds the adapters of durable checkpoints to the registry, and makes them live. */
export class AdapterPublisher {
  #step: number | null = null
  #version: string | null = null
  /** When the events were written that trained since the last version. */
  #unpublished: number[] = []

  constructor(private readonly parts: AdapterPublisherParts) {}

  /** The step of the version that this process added last, whatever became of it. */
  get step(): number | null {
    return this.#step
  }

  /** The version that this process made live last. */
  get version(): string | null {
    return this.#version
  }

  /** These have trained and are in the next version. */
  trained(events: readonly TrainingEvent[]): void {
    this.parts.tally.trained(events)
    this.#unpublished.push(...events.map(({ timestamp }) => timestamp))
  }

  /**
   * Adds the adapter of a step, unless it was added already, and makes it live, unless the registry is held; the initial
   * adapter never is. A failure is reported, and `live` stays where it was.
   */
  async publish(snapshot: PublishedSnapshot): Promise<void> {
    const { registry, watch, keep, telemetry } = this.parts
    const { step } = snapshot
    if (step === 0 || step === this.#step) return
    try {
      const { version } = await this.#add(snapshot)
      const isLive = await registry.publish(version)
      this.#published(step, isLive ? version : null)
      await registry.gc(keep)
    } catch (error) {
      const isRejected = error instanceof BcodError && error.code === 'ADAPTER_NONFINITE'
      telemetry.emit(new AdapterPublished(step, isRejected ? 'rejected' : 'failed'))
      telemetry.emit(new Failed(error, false))
    }
    await watch.look()
  }

  async #add({ adapter, step, delta, checkpoint }: PublishedSnapshot): Promise<{ readonly version: string }> {
    const { registry, tally, configSha256 } = this.parts
    const added = await registry.add(adapter, {
      ...{ step, delta, checkpoint, config_sha256: configSha256 },
      votesSince: (parent) => tally.since(parent, step),
    })
    tally.mark(step)
    return added
  }

  /** @param version  that is live now; null if it must wait */
  #published(step: number, version: string | null): void {
    const { telemetry, stage, now } = this.parts
    this.#step = step
    if (version !== null) {
      this.#version = version
      stage('published')
    }
    const time = now()
    const ages = this.#unpublished.map((written) => Math.max(0, time - written) / 1000)
    telemetry.emit(new AdapterPublished(step, version === null ? 'held' : 'published', ages))
    this.#unpublished = []
  }
}
