import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TrainingEvent } from '../../../src/events/types.js'
import { startCountingLearner } from '../../support/counting-learner.js'
import { place, records } from '../in-process.js'

/** A learner that counts, and measures log ratios of 1 nat per token from its third step on. */
async function startDriftingLearner() {
  const learner = await startCountingLearner()
  const call: typeof learner.call = async (name, ...args) => {
    const answer = await learner.call(name, ...args)
    if (typeof answer !== 'object' || answer === null || !('applied' in answer) || answer.applied === null)
      return answer
    const { applied } = answer
    const [events] = args as unknown as [readonly TrainingEvent[]]
    // some became likelier, others less likely
    const logRatios = applied.trained.map((index, i) => {
      const { length } = (events[index] as TrainingEvent).completionTokens
      return applied.step > 2 ? (i % 2 === 0 ? length : -length) : 0
    })
    return { ...answer, applied: { ...applied, logRatios } }
  }
  return { ...learner, call }
}

test('a guard trips at its step; publishing waits, a restart keeps it, and resume ends it', async () => {
  const { start, live, config, journal } = place({ 'guard.klBudget': 0.9, 'guard.steps': 2 })
  const options = { startLearner: startDriftingLearner }
  const first = start(undefined, options)
  await first.until(({ state }) => state === 'running')
  for (const step of [1, 2, 3]) {
    first.log.append(records(4 * (step - 1), 4))
    await first.until(({ adapter }) => adapter === `v0000000${step}`)
  }
  expect(first.daemon.status()).toMatchObject({ guard: null, training_paused: false })
  // means of two steps: 0, 0.5, 1
  first.log.append(records(12, 8))
  const tripped = await first.until(({ guard, waiting }) => guard !== null && waiting === 4)
  expect(tripped).toMatchObject({ guard: 'kl', step: 4, training_paused: true, adapter: 'v00000003' })
  expect(await first.telemetry.metrics.text()).toMatch(/^bcod_guard_tripped\{guard="kl"\} 1$/m)
  await first.daemon.checkpoint()
  expect(live()).toBe('v00000003')
  await first.stop()

  const second = start(undefined, options)
  const again = await second.until(({ state, waiting }) => state === 'running' && waiting === 4)
  // the gate is done with what the first daemon left
  await second.daemon.checkpoint()
  expect(again).toMatchObject({ guard: 'kl', step: 4, training_paused: true })
  expect(live()).toBe('v00000003')
  expect(existsSync(join(config.checkpoint.dir, 'guard-kl.json'))).toBe(true)

  second.daemon.pauseTraining(false)
  // one step is no window of two
  await second.until(({ adapter }) => adapter === 'v00000005')
  expect(second.daemon.status()).toMatchObject({ guard: null, step: 5, training_paused: false })
  expect(existsSync(join(config.checkpoint.dir, 'guard-kl.json'))).toBe(false)
  expect(await second.telemetry.metrics.text()).toMatch(/^bcod_guard_tripped\{guard="kl"\} 0$/m)
  await second.stop()
  expect(journal().map(({ step }) => step)).toEqual([1, 2, 3, 4, 5])
}, 60_000)
