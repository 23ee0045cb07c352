import { expect, test } from 'vitest'
import type { JournalLine } from '../../src/checkpoint/journal.js'
import { loadConfig } from '../../src/config/config.js'
import { StreamState } from '../../src/daemon/stream/stream-state.js'
import { Trainer, type TrainerParts } from '../../src/daemon/trainer.js'
import type { TrainingEvent } from '../../src/events/types.js'
import type { StepOutcome } from '../../src/learner/learner.js'
import { StepRecorder } from '../../src/training/step-recorder.js'
import { appliedStep } from '../support/applied-step.js'
import { trainingEvent } from '../support/events.js'
import { SilentTelemetry } from '../support/silent-telemetry.js'

const RESOLVED = {
  executor: 'graph',
  dtype: 'f32',
  threads: 2,
  interOpThreads: 2,
  kernels: 'onednn',
  layers: '',
  device: 'cpu',
} as const

/** A trainer whose learner answers with this outcome. */
function trainer(outcome: Partial<StepOutcome>) {
  const config = loadConfig({ env: {}, set: ['model.path=/models/tiny'] })
  const nothing = () => undefined
  const never = () => new Promise<void>(nothing)
  const state = new StreamState(config, nothing, { write: never, acknowledged: nothing, failed: nothing })
  const telemetry = new SilentTelemetry()
  const lines: JournalLine[] = []
  const log: unknown[] = []
  const learner = {
    async call(name: string, events: readonly TrainingEvent[]) {
      log.push(`${name} of ${events.length}`)
      return {
        applied: null,
        quarantined: [],
        refused: [],
        blockLimit: null,
        beginnings: null,
        durationMs: 12,
        ...outcome,
      }
    },
  }
  const made = new Trainer({
    ...{ state, telemetry, step: 6, now: () => 5_000 },
    learner: learner as unknown as TrainerParts['learner'],
    embed: async (events) => events.map((event) => ({ ...event, promptEmbedding: null })),
    recorder: new StepRecorder({ journal: { append: (line) => lines.push(line) }, config, resolved: RESOLVED }),
    applied: ({ step }, trained) => log.push([step, trained.map(({ position }) => position.offset)]),
    stage: (stage) => log.push(stage),
  })
  /** Events that were read, and are taken from the batcher. */
  const batch = (count: number): readonly TrainingEvent[] => {
    for (let offset = 0; offset < count; offset++) {
      const event = trainingEvent(offset, { promptTokens: [1], completionTokens: [2], timestamp: 3_000 })
      state.positions.track(event.position)
      state.batcher.push(event, 0)
    }
    return state.batcher.takeRest(0) ?? []
  }
  return { trainer: made, state, telemetry, lines, log, batch }
}

test('a step that is applied acknowledges its events, is journaled and reported', async () => {
  const { trainer: made, state, telemetry, lines, log, batch } = trainer({ applied: appliedStep(7, [0, 1]) })
  expect([made.step, made.lastStep, made.lastStepTime]).toEqual([6, null, null])
  await made.train(batch(2))
  expect(log).toEqual(['trainStep of 2', 'stepping', 'stepped', [7, [0, 1]], 'journaled'])
  expect([made.step, made.lastStep?.step, made.lastStepTime]).toEqual([7, 7, 5_000])
  expect([state.batcher.count, state.positions.committable()]).toEqual([0, new Map([[0, 2]])])
  expect(lines.map(({ step }) => step)).toEqual([7])
  expect(telemetry.names).toEqual(['StepApplied'])
  expect(await telemetry.metrics.text()).toMatch(/bcod_feedback_to_step_seconds_sum 4$/m)
})

test('a quarantined event becomes a dead letter with its tokens, and stays open until that is acknowledged', async () => {
  const outcome = { applied: appliedStep(7, [1]), quarantined: [0], refused: [2] }
  const { trainer: made, state, telemetry, batch } = trainer(outcome)
  await made.train(batch(3))
  const { letters } = state.deadLetters.snapshot()
  expect(letters.map(({ record, code, stage }) => [record.offset, code, stage])).toEqual([
    [0, 'TRAIN_NONFINITE', 'train'],
    [2, 'TRAIN_OUT_OF_MEMORY', 'train'],
  ])
  expect(JSON.parse(Buffer.from(letters[0]?.record.value ?? []).toString())).toMatchObject({
    data: { prompt_tokens: [1], completion_tokens: [2], label: true },
  })
  expect([state.batcher.count, state.positions.committable()]).toEqual([0, new Map([[0, 0]])])
  expect(telemetry.names.filter((name) => name === 'EventQuarantined')).toHaveLength(2)
  expect(telemetry.names).toContain('NonFiniteStep')
})

test('if no event can be trained, no step is counted', async () => {
  const { trainer: made, telemetry, lines, batch } = trainer({ refused: [0], blockLimit: 64 })
  await made.train(batch(1))
  expect([made.step, made.lastStep, lines]).toEqual([6, null, []])
  expect(telemetry.names).toEqual(['BlocksLimited', 'EventQuarantined', 'DeadLettered'])
})
