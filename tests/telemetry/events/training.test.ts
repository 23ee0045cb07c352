import { describe, expect, it } from 'vitest'
import { BcodError } from '../../../src/errors.js'
import {
  BeginningsComputed,
  DeviceObserved,
  EventQuarantined,
  NonFiniteStep,
  PlaceDropped,
  PlacesChosen,
  ProgramCompiled,
  StepApplied,
} from '../../../src/telemetry/events/training.js'
import type { StepReport } from '../../../src/telemetry/step-report.js'
import { capture } from '../capture.js'

const report: StepReport = {
  step: 7,
  events: 3,
  up: 2,
  down: 1,
  tokens: 55,
  loss: 0.7,
  delta: 0.1,
  gradNorm: 1.5,
  lr: 1e-4,
  durationMs: 250,
  rewardsUp: [0.3, 0.5],
  rewardsDown: [-0.4],
  rewardUpMean: 0.4,
  rewardDownMean: -0.4,
  logRatios: [3, 5, -4],
  klPerToken: 0.02,
  densityRatiosDown: [0.5],
  clampedLow: 1,
  clampedHigh: 0,
  essRatio: 1,
  classifier: {
    ...{ ready: true, trust: 0.9, refused: 2 },
    ...{ logLoss: 0.69, auc: 0.6, calibrationError: 0.04, rawDensityRatioMean: 1.01 },
  },
  prequentialAccuracy: 2 / 3,
  feedbackToStepSeconds: [31, 32, 33],
}

describe('an applied step', () => {
  it('moves every metric of training', async () => {
    const { telemetry, sample } = capture()
    telemetry.emit(new StepApplied(report))
    telemetry.emit(new StepApplied({ ...report, step: 8 }))
    expect(await sample('bcod_train_steps_total')).toBe(2)
    expect(await sample('bcod_train_tokens_total')).toBe(110)
    expect(await sample('bcod_train_loss')).toBe(0.7)
    expect(await sample('bcod_delta')).toBe(0.1)
    expect(await sample('bcod_reward_margin')).toBeCloseTo(0.8, 12)
    expect(await sample('bcod_step_duration_seconds_sum')).toBe(0.5)
    expect(await sample('bcod_implicit_reward_count{label="up"}')).toBe(4)
    expect(await sample('bcod_implicit_reward_sum{label="down"}')).toBeCloseTo(-0.8, 12)
    expect(await sample('bcod_log_ratio_sum')).toBe(8)
    expect(await sample('bcod_density_ratio_clamped_total{bound="low"}')).toBe(2)
    expect(await sample('bcod_density_ratio_clamped_total{bound="high"}')).toBe(0)
    expect(await sample('bcod_effective_sample_size_ratio')).toBe(1)
    expect(await sample('bcod_prequential_accuracy_ratio')).toBe(2 / 3)
    expect(await sample('bcod_feedback_to_step_seconds_count')).toBe(6)
  })

  it('leaves what it could not measure as it was', async () => {
    const { telemetry, sample } = capture()
    telemetry.emit(new StepApplied(report))
    telemetry.emit(
      new StepApplied({
        ...report,
        down: 0,
        rewardsDown: [],
        rewardDownMean: null,
        essRatio: null,
        densityRatiosDown: [],
      }),
    )
    expect(await sample('bcod_reward_margin')).toBeCloseTo(0.8, 12)
    expect(await sample('bcod_effective_sample_size_ratio')).toBe(1)
  })

  it('is logged with its numbers and without a value per event', () => {
    const { telemetry, lines } = capture()
    telemetry.emit(new StepApplied(report))
    expect(lines[0]).toMatchObject({ event: 'StepApplied', step: 7, loss: 0.7, delta: 0.1, lr: 1e-4, ms: 250 })
    expect(lines[0]).not.toHaveProperty('rewardsUp')
  })

  it('survives a number that is not finite', async () => {
    const { telemetry, sample } = capture()
    telemetry.emit(new StepApplied({ ...report, rewardsUp: [Number.NaN, 0.5], logRatios: [Number.POSITIVE_INFINITY] }))
    expect(await sample('bcod_implicit_reward_count{label="up"}')).toBe(1)
    expect(await sample('bcod_log_ratio_count')).toBe(0)
  })
})

describe('places', () => {
  const places = (...used: boolean[]) => used.map((each) => ({ used: each }))

  it('are counted by whether they are used', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new PlacesChosen(places(true, false)))
    expect(lines).toEqual([])
    expect(await sample('bcod_place_used{place="0"}')).toBe(1)
    expect(await sample('bcod_place_used{place="1"}')).toBe(0)
  })

  it('that are left out are named with the reason', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new PlacesChosen(places(true, true)))
    const reason = new BcodError('WORKER_LOST', 'Socket closed', { place: 'worker-0:2222' })
    telemetry.emit(new PlaceDropped(1, 'worker-0:2222/GPU:0', reason))
    expect(lines[0]).toMatchObject({ level: 'warn', code: 'WORKER_LOST', device: 'worker-0:2222/GPU:0' })
    expect(await sample('bcod_place_used{place="1"}')).toBe(0)
    expect(await sample('bcod_place_dropped_total{place="1",code="WORKER_LOST"}')).toBe(1)
  })
})

describe('other events of training', () => {
  it('are counted', async () => {
    const { telemetry, lines, sample } = capture()
    telemetry.emit(new EventQuarantined({ topic: 'votes', partition: 2, offset: 9 }, 'TRAIN_NONFINITE'))
    telemetry.emit(new NonFiniteStep(7))
    telemetry.emit(new ProgramCompiled('prepare', 1500))
    telemetry.emit(
      new DeviceObserved(42, null, [
        { busySeconds: 8, waitSeconds: 2, linkBytes: 0 },
        { busySeconds: 3, waitSeconds: 7, linkBytes: 4096 },
      ]),
    )
    telemetry.emit(new BeginningsComputed({ known: 0, computed: 2, bytes: 300 }))
    telemetry.emit(new BeginningsComputed({ known: 2, computed: 1, bytes: 400 }))
    expect(await sample('bcod_reference_beginnings_total{outcome="known"}')).toBe(2)
    expect(await sample('bcod_reference_beginnings_total{outcome="computed"}')).toBe(3)
    expect(await sample('bcod_reference_cache_bytes')).toBe(400)
    expect(await sample('bcod_quarantined_events_total')).toBe(1)
    expect(await sample('bcod_nonfinite_steps_total')).toBe(1)
    expect(await sample('bcod_compile_duration_seconds_sum')).toBe(1.5)
    expect(await sample('bcod_tensors')).toBe(42)
    expect(await sample('bcod_place_busy_seconds_total{place="0"}')).toBe(8)
    expect(await sample('bcod_place_wait_seconds_total{place="1"}')).toBe(7)
    expect(await sample('bcod_place_link_bytes_total{place="1"}')).toBe(4096)
    expect(await sample('bcod_device_memory_bytes')).toBeNull()
    expect(lines[0]).toMatchObject({ code: 'TRAIN_NONFINITE', topic: 'votes', partition: 2, offset: 9 })
  })
})
