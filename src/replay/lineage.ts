import { basename } from 'node:path'
import type { CheckpointRef } from '../checkpoint/snapshot.js'
import { CheckpointStore } from '../checkpoint/store.js'
import type { Config } from '../config/config.js'
import type { TrainingEvent } from '../events/types.js'
import type { Learner, StepOutcome } from '../learner/learner.js'
import { lineageSettings } from '../training/learning-config.js'
import { inspectLineage, type Recovered, recoverLineage } from '../training/recovery.js'
import { type RecordedStep, StepRecorder } from '../training/step-recorder.js'

/** What stands for the cluster's id in the checkpoints of a file. */
const FILE = 'file'

export interface LineageOptions {
  readonly learner: Learner
  readonly config: Config
  readonly modelPath: string
  /** The file of events. */
  readonly eventsPath: string
  /** The directory of checkpoints; it does not exist yet. */
  readonly directory: string
}

/** The lineage of a replay: the checkpoint of the initial adapter, the journal, and the checkpoint of the last step. */
export class Lineage {
  readonly #recorder: StepRecorder
  #parent: CheckpointRef | null = null

  private constructor(
    private readonly options: LineageOptions,
    private readonly store: CheckpointStore,
    private readonly recovered: Recovered,
  ) {
    const { learner, config } = options
    this.#recorder = new StepRecorder({ journal: recovered.journal, config, resolved: learner.resolved })
  }

  /** Begins a lineage with the checkpoint of the initial adapter. */
  static async start(options: LineageOptions): Promise<Lineage> {
    const { config, modelPath, directory } = options
    const store = new CheckpointStore(directory, { keep: config.checkpoint.keep })
    const inspected = await inspectLineage(config, modelPath, store)
    const lineage = new Lineage(options, store, await recoverLineage(config, modelPath, inspected, store))
    await lineage.#checkpoint(0)
    return lineage
  }

  /** Journals a step. @param events  those handed to it */
  record(events: readonly TrainingEvent[], outcome: StepOutcome): RecordedStep {
    return this.#recorder.record(events, outcome)
  }

  /** Writes the last checkpoint and closes the journal. @param lastLine  of the file; 0 for an empty one */
  async end(lastLine: number): Promise<void> {
    if (this.options.learner.step > 0) await this.#checkpoint(lastLine)
    await this.recovered.journal.close()
  }

  /** @param line  the last one read; 0 before the first */
  async #checkpoint(line: number): Promise<void> {
    const { learner, config, eventsPath } = this.options
    const { fence, identities, journal } = this.recovered
    this.#parent = await this.store.write({
      fence,
      identities,
      step: learner.step,
      revision: 0,
      parent: this.#parent,
      topic: basename(eventsPath),
      clusterId: FILE,
      positions: { 0: line + 1 },
      lastRecords: {},
      resolved: learner.resolved,
      seed: config.seed,
      journal: await journal.sync(),
      adapter: learner.adapter(),
      trainerState: learner.state(),
      pending: null,
      extra: lineageSettings(config),
    })
  }
}
