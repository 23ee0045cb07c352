import { pruneVersions, publishAdapter } from '../adapters/publish.js'
import { versionName } from '../adapters/version.js'
import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { LearnerSnapshot } from '../learner/protocol.js'
import { Failed } from '../telemetry/events/daemon.js'
import { AdapterPublished } from '../telemetry/events/storage.js'
import type { Telemetry } from '../telemetry/telemetry.js'

export interface AdapterPublisherParts {
  /** The registry of versions. */
  readonly directory: string
  /** How many versions stay. */
  readonly keep: number
  readonly telemetry: Telemetry
  /** Called at each point that is reached. */
  readonly stage: (stage: string) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Publishes the adapters of durable checkpoints to the servers. */
export class AdapterPublisher {
  #step: number | null = null
  /** When the events were written that trained since the last published version. */
  #unpublished: number[] = []

  constructor(private readonly parts: AdapterPublisherParts) {}

  /** The step of the version that this process published last. */
  get step(): number | null {
    return this.#step
  }

  /** The name of that version. */
  get version(): string | null {
    return this.#step === null ? null : versionName(this.#step)
  }

  /** These have trained and are in the next version. */
  trained(events: readonly TrainingEvent[]): void {
    this.#unpublished.push(...events.map(({ timestamp }) => timestamp))
  }

  /**
   * Publishes the adapter of a step, unless it is published already; the initial adapter never is. A failure is
   * reported, and `live` stays where it was.
   */
  async publish({ adapter, step, delta }: Pick<LearnerSnapshot, 'adapter' | 'step' | 'delta'>): Promise<void> {
    const { directory, keep, telemetry, stage, now } = this.parts
    if (step === 0 || step === this.#step) return
    try {
      await publishAdapter(directory, adapter, { step, delta, onStage: stage })
      stage('published')
      const time = now()
      const ages = this.#unpublished.map((written) => Math.max(0, time - written) / 1000)
      telemetry.emit(new AdapterPublished(step, 'published', ages))
      this.#step = step
      this.#unpublished = []
      await pruneVersions(directory, keep)
    } catch (error) {
      const isRejected = error instanceof BcodError && error.code === 'ADAPTER_NONFINITE'
      telemetry.emit(new AdapterPublished(step, isRejected ? 'rejected' : 'failed'))
      telemetry.emit(new Failed(error, false))
    }
  }
}
