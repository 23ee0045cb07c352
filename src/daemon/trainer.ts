import type { Resumption } from '../checkpoint/journal.js'
import type { ResumedStep } from '../checkpoint/journal-line.js'
import type { EventEmbedding } from '../embeddings/event-embedding.js'
import { recordOf } from '../events/encode.js'
import type { TrainingEvent } from '../events/types.js'
import type { RemoteLearner } from '../learner/remote-learner.js'
import type { AppliedStep } from '../learner/step.js'
import { DeadLettered } from '../telemetry/events/feedback.js'
import {
  BeginningsComputed,
  BlocksLimited,
  EventQuarantined,
  NonFiniteStep,
  StepApplied,
} from '../telemetry/events/training.js'
import type { Telemetry } from '../telemetry/telemetry.js'
import type { QuarantinedEvent, StepRecorder } from '../training/step-recorder.js'
import { asFeedback, type StreamState } from './stream/stream-state.js'

export interface TrainerParts {
  readonly learner: Pick<RemoteLearner, 'call'>
  readonly embed: EventEmbedding
  readonly recorder: StepRecorder
  readonly state: Pick<StreamState, 'positions' | 'batcher' | 'deadLetters'>
  readonly telemetry: Telemetry
  /** The last step of the checkpoint that the process started from; 0 without one. */
  readonly step: number
  /** Called after each applied step, with the events that trained. */
  readonly applied: (step: AppliedStep, trained: readonly TrainingEvent[]) => void
  /** Called at each point that is reached. */
  readonly stage: (stage: string) => void
  /** Milliseconds since the epoch. */
  readonly now: () => number
}

/** Trains batches, one at a time, and does the bookkeeping: journal, acknowledged offsets, dead letters, telemetry. */
export class Trainer {
  #step: number
  #last: { readonly step: AppliedStep; readonly time: number } | null = null

  constructor(private readonly parts: TrainerParts) {
    this.#step = parts.step
  }

  /** The last applied step; 0 before the first. */
  get step(): number {
    return this.#step
  }

  /** What the last step of this process measured. */
  get lastStep(): AppliedStep | null {
    return this.#last?.step ?? null
  }

  /** When it was applied, milliseconds since the epoch. */
  get lastStepTime(): number | null {
    return this.#last?.time ?? null
  }

  /** One optimizer step over a batch. Afterwards each of its events is acknowledged, or is a dead letter. */
  async train(events: readonly TrainingEvent[]): Promise<void> {
    const { learner, embed, recorder, state, telemetry, stage, now } = this.parts
    const embedded = await embed(events)
    const answer = learner.call('trainStep', embedded)
    stage('stepping')
    const outcome = await answer
    stage('stepped')
    // from here to the end nothing waits: no checkpoint can see a step that is half recorded
    const { applied, trained, quarantined, newBlockLimit } = recorder.record(embedded, outcome)
    if (newBlockLimit !== null) telemetry.emit(new BlocksLimited(newBlockLimit))
    if (outcome.beginnings !== null) telemetry.emit(new BeginningsComputed(outcome.beginnings))
    this.#quarantine(quarantined)
    state.batcher.acknowledge(events)
    if (applied === null) return
    for (const { position } of trained) state.positions.ack(position)
    const time = now()
    this.#step = applied.step
    this.#last = { step: applied, time }
    const feedbackToStepSeconds = trained.map(({ timestamp }) => Math.max(0, time - timestamp) / 1000)
    const report = { ...applied, durationMs: outcome.durationMs, feedbackToStepSeconds }
    const positions = trained.map(({ position }) => position)
    telemetry.emit(new StepApplied(report, positions))
    this.parts.applied(applied, trained)
    stage('journaled')
  }

  /** Learning goes on from an older version, under a number of its own. */
  resumed(step: ResumedStep, resumption: Resumption): void {
    this.parts.recorder.resumed(step, resumption)
    this.#step = step.step
    this.parts.stage('resumption journaled')
  }

  #quarantine(quarantined: readonly QuarantinedEvent[]): void {
    const { state, telemetry } = this.parts
    if (quarantined.some(({ error }) => error.code === 'TRAIN_NONFINITE'))
      telemetry.emit(new NonFiniteStep(this.#step + 1))
    for (const { event, error } of quarantined) {
      telemetry.emit(new EventQuarantined(event.position, error.code))
      telemetry.emit(new DeadLettered(event.position, error.code, 'train', error.line))
      state.deadLetters.push({
        record: recordOf(asFeedback(event)),
        code: error.code,
        message: error.line,
        stage: 'train',
      })
    }
  }
}
