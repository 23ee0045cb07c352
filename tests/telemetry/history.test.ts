import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AssignmentChanged, LagObserved } from '../../src/telemetry/events/consumer.js'
import { LifecycleChanged } from '../../src/telemetry/events/daemon.js'
import { DeadLettered, FeedbackReceived } from '../../src/telemetry/events/feedback.js'
import { StepApplied } from '../../src/telemetry/events/training.js'
import { History } from '../../src/telemetry/history.js'
import { createLogger } from '../../src/telemetry/logger.js'
import { Metrics } from '../../src/telemetry/metrics.js'
import { Telemetry } from '../../src/telemetry/telemetry.js'
import { stepReport } from './step-report.js'

const HOUR = 3600
const BEGIN = 1_800_000_000
const AT = { topic: 'feedback', partition: 3, offset: 71 }

/** A telemetry whose history has a clock that is set by hand, in seconds. */
function watched() {
  let seconds = BEGIN
  const history = new History(() => seconds * 1000)
  const telemetry = new Telemetry(createLogger('silent'), new Metrics(), history)
  const wait = (more: number) => {
    seconds += more
  }
  return { history, telemetry, wait, now: () => seconds }
}

describe('a point of the history', () => {
  it('is of five seconds, and weighs each step by its votes', () => {
    const { history, telemetry, wait } = watched()
    telemetry.emit(
      new StepApplied(
        stepReport({ ...{ events: 4, up: 3, down: 1, loss: 1, delta: 0.1 }, rewardsUp: [1, 2, 3], rewardsDown: [-1] }),
      ),
    )
    wait(4)
    telemetry.emit(
      new StepApplied(
        stepReport({ ...{ events: 1, up: 1, down: 0, loss: 6, delta: 0.2 }, rewardsUp: [6], densityRatiosDown: [] }),
      ),
    )
    wait(1)
    telemetry.emit(
      new StepApplied(
        stepReport({ ...{ events: 2, up: 0, down: 2, loss: 0.5 }, rewardsDown: [1, 2], densityRatiosDown: [2, 3] }),
      ),
    )
    expect(history.answer().points).toMatchObject({
      time: [BEGIN, BEGIN + 5],
      up: [4, 0],
      down: [1, 2],
      loss: [2, 0.5],
      delta: [0.2, 0],
      reward_up_mean: [3, null],
      reward_down_mean: [-1, 1.5],
      reward_margin: [4, null],
      weight_mean: [1, 2.5],
    })
  })

  it('has the lag over all partitions and the state as they were last', () => {
    const { history, telemetry, wait } = watched()
    telemetry.emit(new LifecycleChanged('joining'))
    wait(5)
    telemetry.emit(new LifecycleChanged('running'))
    telemetry.emit(new LagObserved(0, 7))
    telemetry.emit(new LagObserved(1, 5))
    telemetry.emit(new LagObserved(0, 2))
    wait(5)
    telemetry.emit(new StepApplied(stepReport({})))
    expect(history.answer().points).toMatchObject({ state: ['joining', 'running', 'running'], lag: [null, 7, 7] })
  })

  it('knows nothing of the lag of partitions that went elsewhere', () => {
    const { history, telemetry, wait } = watched()
    telemetry.emit(new LagObserved(0, 900))
    telemetry.emit(new AssignmentChanged('feedback', [1], 2))
    wait(5)
    telemetry.emit(new LifecycleChanged('joining'))
    wait(5)
    telemetry.emit(new LagObserved(1, 4))
    expect(history.answer().points.lag).toEqual([900, null, 4])
  })
})

describe('dead letters', () => {
  it('are counted by code, the latest first, with their meaning and without what they were', () => {
    const { history, telemetry, wait, now } = watched()
    telemetry.emit(new DeadLettered(AT, 'FEEDBACK_INVALID', 'validate', 'FEEDBACK_INVALID data.label: got "secret"'))
    wait(60)
    telemetry.emit(new DeadLettered(AT, 'FEEDBACK_NOT_JSON', 'decode', 'secret'))
    telemetry.emit(new DeadLettered(AT, 'FEEDBACK_NOT_JSON', 'decode', 'secret'))
    const answer = history.answer()
    expect(answer.dead_letters).toEqual([
      { code: 'FEEDBACK_NOT_JSON', stage: 'decode', cause: expect.any(String), count: 2, last: now() },
      { code: 'FEEDBACK_INVALID', stage: 'validate', cause: expect.any(String), count: 1, last: BEGIN },
    ])
    expect(answer.points.dead_letters).toEqual([1, 2])
    expect(history.deadLetters).toEqual({ FEEDBACK_INVALID: 1, FEEDBACK_NOT_JSON: 2 })
    expect(JSON.stringify(answer)).not.toContain('secret')
  })
})

describe('the hour', () => {
  it('holds 720 points however long the daemon runs and however much happens', () => {
    const { history, telemetry, wait, now } = watched()
    for (let second = 0; second < 3 * HOUR; second++) {
      wait(1)
      telemetry.emit(new LagObserved(0, second))
      telemetry.emit(new StepApplied(stepReport({})))
    }
    const { points } = history.answer()
    for (const column of Object.values(points)) expect(column).toHaveLength(720)
    expect(points.time[0]).toBe(now() - HOUR + 5)
    expect(points.lag.at(-1)).toBe(3 * HOUR - 1)
    expect(JSON.stringify(points).length).toBeLessThan(80_000)
  })

  it('ends for points that nothing followed, too', () => {
    const { history, telemetry, wait } = watched()
    telemetry.emit(new LifecycleChanged('standby'))
    wait(2 * HOUR)
    expect(history.answer().points.time).toEqual([])
    telemetry.emit(new LifecycleChanged('loading'))
    expect(history.answer().points.state).toEqual(['loading'])
  })

  it('is told from a time on, the point of that time included', () => {
    const { history, telemetry, wait } = watched()
    for (let i = 0; i < 4; i++, wait(5)) telemetry.emit(new LagObserved(0, i))
    expect(history.answer(BEGIN + 10).points).toMatchObject({ time: [BEGIN + 10, BEGIN + 15], lag: [2, 3] })
    expect(history.answer(BEGIN + 12).points.time).toEqual([BEGIN + 10, BEGIN + 15])
    expect(history.answer(BEGIN + HOUR).points.time).toEqual([])
  })

  it('keeps order and length where the clock is set', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -4000, max: 4000 }), { maxLength: 60 }), (jumps) => {
        const { history, telemetry, wait } = watched()
        for (const jump of jumps) {
          wait(jump)
          telemetry.emit(new LagObserved(0, 1))
        }
        const { time } = history.answer().points
        expect(time).toEqual([...new Set(time)].sort((a, b) => a - b))
        expect(time.length).toBe(Math.min(time.length, 720))
      }),
    )
  })

  it('has no point of events that it does not show', () => {
    const { history, telemetry } = watched()
    telemetry.emit(new FeedbackReceived('up', AT))
    expect(history.answer().points.time).toEqual([])
  })
})
