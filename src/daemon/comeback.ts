import type { ResumeFrom } from '../adapters/moves/move.js'
import type { Registry } from '../adapters/registry/registry.js'
import { versionStep } from '../adapters/versions/version.js'
import { journalPath } from '../checkpoint/journal.js'
import { readJournalEnd } from '../checkpoint/journal-reader.js'
import { eventsLearnt } from '../checkpoint/journal-resumptions.js'
import type { Snapshot } from '../checkpoint/snapshot.js'
import type { CheckpointStore } from '../checkpoint/store.js'
import { BcodError, isFatal } from '../errors.js'
import { Failed } from '../telemetry/events/daemon.js'
import { LearningResumed } from '../telemetry/events/storage.js'
import { ClassifierReset } from '../telemetry/events/training.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import type { AdapterPublisher } from './adapters/adapter-publisher.js'
import type { RegistryWatch } from './adapters/registry-watch.js'
import type { Checkpointer } from './checkpointer.js'
import type { DaemonLearner } from './options.js'
import type { Trainer } from './trainer.js'

export interface ComebackParts {
  readonly registry: Pick<Registry, 'resumeDone'>
  readonly watch: Pick<RegistryWatch, 'state' | 'look'>
  readonly store: Pick<CheckpointStore, 'ofStep' | 'directory'>
  readonly identities: Snapshot['identities']
  readonly learner: Pick<DaemonLearner, 'call'>
  readonly trainer: Pick<Trainer, 'step' | 'resumed'>
  readonly checkpointer: Pick<Checkpointer, 'checkpoint' | 'durable'>
  readonly publisher: Pick<AdapterPublisher, 'resumed'>
  readonly telemetry: Telemetry
  /** Called once the learner has gone on from the older version. */
  readonly resumed: () => void
}

/**
 * Goes on from an older version when the registry asks for it: with the learning state of its checkpoint, under the
 * number of a new step. What was read, held, counted and remembered of the stream stays. The freeze ends once that is
 * durable. A process that dies on the way leaves either a journal that has the new step, or all to be done again.
 */
export class Comeback {
  /** The move that this process has followed. */
  #followed: number | null = null
  #problem: string | null = null

  constructor(private readonly parts: ComebackParts) {}

  /** Whether there is something to do. */
  get isAsked(): boolean {
    return this.#asked !== null
  }

  get #asked(): ResumeFrom | null {
    return this.parts.watch.state?.resumeFrom ?? null
  }

  /**
   * Does what is asked for, between two steps. A failure is reported once for each cause, and the registry stays frozen:
   * the next call tries again.
   *
   * @throws fatal errors (`isFatal`)
   */
  async run(): Promise<void> {
    const asked = this.#asked
    if (asked === null) return
    try {
      await this.#follow(asked)
      this.#problem = null
    } catch (error) {
      if (isFatal(error)) throw error
      const problem = error instanceof Error ? error.message : String(error)
      if (problem !== this.#problem) this.parts.telemetry.emit(new Failed(error, false))
      this.#problem = problem
    }
  }

  async #follow(asked: ResumeFrom): Promise<void> {
    const { registry, watch } = this.parts
    // what is to be abandoned is in the journal first
    if (!(await this.#isDurable())) return
    if (!(await this.#isFollowed(asked))) {
      await this.#goOnFrom(asked)
      if (!(await this.#isDurable())) return
    }
    this.#followed = asked.generation
    await registry.resumeDone(asked)
    await watch.look()
  }

  /** Not before partitions are assigned, nor while checkpoints fail. */
  async #isDurable(): Promise<boolean> {
    const { checkpointer } = this.parts
    if (!checkpointer.durable) await checkpointer.checkpoint()
    return checkpointer.durable
  }

  /** A process that died before the registry heard of it may have done it. */
  async #isFollowed({ generation }: ResumeFrom): Promise<boolean> {
    if (this.#followed === generation) return true
    const lines = await readJournalEnd(journalPath(this.parts.store.directory))
    return lines.some(({ resumed }) => resumed?.generation === generation)
  }

  async #goOnFrom({ version, generation }: ResumeFrom): Promise<void> {
    const { store, learner, trainer, publisher, telemetry } = this.parts
    const { snapshot, directory } = await store.ofStep(versionStep(version) as number)
    this.#requireSameModel(snapshot, directory)
    const from = snapshot.step
    const last = trainer.step
    let abandoned = 0
    for await (const _ of eventsLearnt(journalPath(store.directory), from, last)) abandoned += 1
    const { adapter, trainerState: state } = snapshot
    const { classifierKept, ...resumed } = await learner.call('resume', { adapter, state }, last + 1)
    // nothing waits until the journal has it: no checkpoint can see half of it
    trainer.resumed({ step: last + 1, ...resumed }, { from, version, generation })
    publisher.resumed(last + 1)
    this.parts.resumed()
    this.#followed = generation
    if (!classifierKept) telemetry.emit(new ClassifierReset())
    telemetry.emit(new LearningResumed({ version, step: last + 1, abandonedVotes: abandoned }))
  }

  /** @throws CHECKPOINT_MODEL_MISMATCH */
  #requireSameModel({ identities }: Snapshot, place: string): void {
    const { base } = this.parts.identities
    if (identities.base === base) return
    throw new BcodError('CHECKPOINT_MODEL_MISMATCH', 'its base has another hash than the model at hand', { place })
  }
}
