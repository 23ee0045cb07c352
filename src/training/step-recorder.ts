import type { Journal, JournalSettings, Resumption } from '../checkpoint/journal.js'
import { journalLine, type ResumedStep, resumptionLine } from '../checkpoint/journal-line.js'
import type { Config } from '../config/config.js'
import { BcodError } from '../errors.js'
import type { TrainingEvent } from '../events/types.js'
import type { Learner, StepOutcome } from '../learner/learner.js'
import type { AppliedStep } from '../learner/step.js'
import { lineageSettings } from './learning-config.js'

/** An event that does not train, and why: TRAIN_NONFINITE or TRAIN_OUT_OF_MEMORY. */
export interface QuarantinedEvent {
  readonly event: TrainingEvent
  readonly error: BcodError
}

/** What became of the events that were handed to a step. */
export interface RecordedStep {
  /** Null if none of them could be trained: then no step was applied. */
  readonly applied: AppliedStep | null
  readonly trained: readonly TrainingEvent[]
  readonly quarantined: readonly QuarantinedEvent[]
  /** The largest block that memory allows, in positions, if this step found it; else null. */
  readonly newBlockLimit: number | null
}

export interface StepRecorderParts {
  readonly journal: Pick<Journal, 'append'>
  readonly config: Config
  readonly resolved: Learner['resolved']
}

/**
 * Turns the learner's outcome of each step into a line of the lineage journal. Daemon and replay both use it, so that
 * the same events give the same lineage.
 */
export class StepRecorder {
  /** Since the last applied step: the journal names them with the next one. */
  #quarantined: TrainingEvent[] = []
  #blockLimit: number | null = null
  #isFirst = true

  constructor(private readonly parts: StepRecorderParts) {}

  /** @param events  those handed to the step, with their embeddings if they have any */
  record(events: readonly TrainingEvent[], outcome: StepOutcome): RecordedStep {
    const { applied, quarantined: nonFinite, refused, blockLimit } = outcome
    const at = (index: number) => events[index] as TrainingEvent
    const quarantined = [
      ...nonFinite.map((index) => ({ event: at(index), error: nonFiniteError() })),
      ...refused.map((index) => ({ event: at(index), error: outOfMemoryError() })),
    ]
    this.#quarantined.push(...quarantined.map(({ event }) => event))
    const newBlockLimit = blockLimit === this.#blockLimit ? null : blockLimit
    this.#blockLimit = blockLimit
    if (applied === null) return { applied, trained: [], quarantined, newBlockLimit }
    this.#append(applied, events)
    return { applied, trained: applied.trained.map(at), quarantined, newBlockLimit }
  }

  /** Learning goes on from an older version. */
  resumed(step: ResumedStep, resumption: Resumption): void {
    const { journal, config } = this.parts
    journal.append(resumptionLine(step, resumption, { reference: config.model.reference, settings: this.#settings }))
    this.#isFirst = false
  }

  /** On the first line of a process. */
  get #settings(): JournalSettings | undefined {
    const { config, resolved } = this.parts
    return this.#isFirst ? { ...lineageSettings(config), resolved: { ...resolved } } : undefined
  }

  #append(applied: AppliedStep, events: readonly TrainingEvent[]): void {
    const { journal, config } = this.parts
    journal.append(
      journalLine(applied, events, {
        quarantined: this.#quarantined,
        blockLimit: this.#blockLimit,
        reference: config.model.reference,
        keepEvents: config.journal.keepEvents,
        settings: this.#settings,
      }),
    )
    this.#quarantined = []
    this.#isFirst = false
  }
}

const nonFiniteError = () => new BcodError('TRAIN_NONFINITE', 'log-probability or gradient is not finite')
const outOfMemoryError = () => new BcodError('TRAIN_OUT_OF_MEMORY', 'no block that memory allows holds it')
