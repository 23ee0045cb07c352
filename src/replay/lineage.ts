import { basename } from 'node:path'
import type { Journal } from '../checkpoint/journal.js'
import type { CheckpointRef, Snapshot } from '../checkpoint/snapshot.js'
import { CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import type { TrainingEvent } from '../events/types.js'
import type { Learner, StepOutcome } from '../learner/learner.js'
import { lineageSettings } from '../training/learning-config.js'
import { inspectLineage, recoverLineage } from '../training/recovery.js'
import { type RecordedStep, StepRecorder } from '../training/step-recorder.js'

/** What stands for the cluster's id in the checkpoints of a file. */
const FILE = 'file'

/** The lineage of a replay: the checkpoint of the initial adapter, the journal, and the checkpoint of the last step. */
export class Lineage {
  readonly #recorder: StepRecorder
  #parent: CheckpointRef | null = null

  private constructor(
    private readonly learner: Learner,
    private readonly config: Config,
    private readonly eventsPath: string,
    private readonly store: CheckpointStore,
    private readonly journal: Journal,
    private readonly fixed: Pick<Snapshot, 'fence' | 'identities'>,
  ) {
    this.#recorder = new StepRecorder({ journal, config, resolved: learner.resolved })
  }

  /** Begins a lineage in a directory that does not exist yet, with the checkpoint of the initial adapter. */
  static async start(
    learner: Learner,
    config: Config,
    modelPath: string,
    eventsPath: string,
    directory: string,
  ): Promise<Lineage> {
    const store = new CheckpointStore(directory, { keep: config.checkpoint.keep })
    const inspected = await inspectLineage(config, modelPath, store)
    const { journal, fence, identities } = await recoverLineage(config, inspected, store)
    const lineage = new Lineage(learner, config, eventsPath, store, journal, { fence, identities })
    await lineage.#checkpoint(0)
    return lineage
  }

  /** Journals a step. @param events  those handed to it */
  record(events: readonly TrainingEvent[], outcome: StepOutcome): RecordedStep {
    return this.#recorder.record(events, outcome)
  }

  /** Writes the last checkpoint and closes the journal. @param lastLine  of the file; 0 for an empty one */
  async end(lastLine: number): Promise<void> {
    if (this.learner.step > 0) await this.#checkpoint(lastLine)
    await this.journal.close()
  }

  /** @param line  the last one read; 0 before the first */
  async #checkpoint(line: number): Promise<void> {
    const { learner, config } = this
    this.#parent = await this.store.write({
      ...this.fixed,
      step: learner.step,
      revision: 0,
      parent: this.#parent,
      topic: basename(this.eventsPath),
      clusterId: FILE,
      positions: { 0: line + 1 },
      lastRecords: {},
      resolved: learner.resolved,
      seed: config.seed,
      journal: await this.journal.sync(),
      adapter: learner.adapter(),
      trainerState: learner.state(),
      pending: null,
      extra: lineageSettings(config),
    })
  }
}
