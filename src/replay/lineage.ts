import { basename } from 'node:path'
import type { Journal } from '../checkpoint/journal.js'
import { journalLine } from '../checkpoint/journal-line.js'
import type { CheckpointRef, Snapshot } from '../checkpoint/snapshot.js'
import { CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import { inspectLine, learningConfig, recover } from '../daemon/recovery.js'
import type { TrainingEvent } from '../events/types.js'
import type { Learner } from '../learner/learner.js'
import type { AppliedStep } from '../learner/step.js'

/** What stands for the cluster's id in the checkpoints of a file. */
const FILE = 'file'

/** The line of checkpoints of a replay: step 0, the journal, and the last step. */
export class Lineage {
  /** Events put aside since the last applied step. */
  #quarantined: readonly TrainingEvent[] = []
  #parent: CheckpointRef | null = null

  private constructor(
    private readonly learner: Learner,
    private readonly config: Config,
    private readonly eventsPath: string,
    private readonly store: CheckpointStore,
    private readonly journal: Journal,
    private readonly fixed: Pick<Snapshot, 'fence' | 'identities'>,
  ) {}

  /** Begins a line in a directory that is not there yet, with the checkpoint of the initial adapter. */
  static async start(
    learner: Learner,
    config: Config,
    modelPath: string,
    eventsPath: string,
    directory: string,
  ): Promise<Lineage> {
    const store = new CheckpointStore(directory, { keep: config.checkpoint.keep })
    const { journal, fence, identities } = await recover(config, await inspectLine(config, modelPath, store), store)
    const lineage = new Lineage(learner, config, eventsPath, store, journal, { fence, identities })
    await lineage.#checkpoint(0)
    return lineage
  }

  putAside(events: readonly TrainingEvent[]): void {
    this.#quarantined = [...this.#quarantined, ...events]
  }

  /**
   * @param events      those handed to the step
   * @param blockLimit  positions of the largest block that memory allowed; null for no limit
   */
  record(applied: AppliedStep, events: readonly TrainingEvent[], blockLimit: number | null): void {
    const { journal, model } = this.config
    const options = {
      quarantined: this.#quarantined,
      blockLimit,
      reference: model.reference,
      keepEvents: journal.keepEvents,
    }
    this.journal.append(journalLine(applied, events, options))
    this.#quarantined = []
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
      extra: { config: learningConfig(config), modelPath: config.model.path },
    })
  }
}
