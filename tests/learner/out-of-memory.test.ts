import { afterEach, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { Session } from '../../src/engine/index.js'
import { BcodError } from '../../src/errors.js'
import { Learner } from '../../src/learner/learner.js'
import { trainingEvent } from '../support/events.js'
import { cases } from '../support/thorough.js'

const CONFIG = loadConfig({
  env: {},
  set: ['model.path=tests/golden/tiny_llama', 'lora.r=4', 'limits.maxLength=256', 'batch.tokens=512', 'batch.size=8'],
})

const event = (i: number, length: number) => {
  const tokens = (from: number, count: number) =>
    Array.from({ length: count }, (_, k) => 3 + ((i * 13 + from + k) % 250))
  return trainingEvent(i, { promptTokens: tokens(0, length - 4), completionTokens: tokens(40, 4), label: i % 2 === 0 })
}
const events = (length: number, count = 8) => Array.from({ length: count }, (_, i) => event(i, length))

/**
 * From now on the device has no memory for packed batches of more tokens, in programs of these kinds. TensorFlow's own
 * refusals, which cannot be aimed like this, are met in tests/daemon/out-of-memory.test.ts.
 */
function memoryFor(positions: number, kinds = 'prepare|score|accumulate'): { readonly refusals: () => number } {
  const { start } = Session.prototype
  let refusals = 0
  vi.spyOn(Session.prototype, 'start').mockImplementation(function (this: Session, name, ...rest) {
    const [, wanted] = new RegExp(`^(?:${kinds})_(\\d+)_`).exec(name) ?? []
    if (Number(wanted ?? 0) <= positions) return start.call(this, name, ...rest)
    refusals += 1
    throw new BcodError('DEVICE_OUT_OF_MEMORY', `OOM when allocating tensor with shape[${wanted},64]`, { place: name })
  })
  return { refusals: () => refusals }
}
afterEach(() => vi.restoreAllMocks())

const all = (learner: Learner) => ({ adapter: learner.adapterSha256(), state: learner.state() })

test.each(cases(['prepare', 'accumulate'], ['accumulate']))(
  'a step that finds no memory in `%s` is done again in smaller batches, and later ones begin with them',
  (kind) => {
    const learner = new Learner(CONFIG)
    expect(learner.trainStep(events(30)).blockLimit).toBeNull()
    const memory = memoryFor(200, kind)
    const { applied, blockLimit, quarantined, refused } = learner.trainStep(events(60))
    expect({ step: applied?.step, blockLimit, quarantined, refused }).toEqual({
      ...{ step: 2, blockLimit: 192 },
      ...{ quarantined: [], refused: [] },
    })
    expect(applied?.microBatches.flat().sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
    const refusals = memory.refusals()
    expect(refusals).toBeGreaterThan(0)
    expect(learner.trainStep(events(60)).applied?.step).toBe(3)
    expect(memory.refusals()).toBe(refusals)
    vi.restoreAllMocks()

    // the same batches on a device with memory for all: the same adapter and state
    const other = new Learner(CONFIG)
    other.trainStep(events(30))
    other.limitBlocks(192)
    other.trainStep(events(60))
    other.trainStep(events(60))
    expect(all(learner)).toEqual(all(other))

    // a checkpoint keeps the limit, for the settings that it was found under
    const restored = new Learner(CONFIG)
    restored.restore(learner.adapter(), learner.state())
    expect(restored.trainStep(events(60)).blockLimit).toBe(192)
    const changed = new Learner({ ...CONFIG, batch: { ...CONFIG.batch, tokens: 384 } })
    changed.restore(learner.adapter(), learner.state())
    expect(changed.trainStep(events(60)).blockLimit).toBeNull()
    for (const each of [learner, other, restored, changed]) each.dispose()
  },
)

test('an event that is longer than every batch left is left out and the rest trains', () => {
  const learner = new Learner(CONFIG)
  memoryFor(128)
  const outcome = learner.trainStep([...events(30, 5), event(5, 200), event(6, 30)])
  expect(outcome).toMatchObject({ blockLimit: 128, refused: [5], quarantined: [], applied: { step: 1 } })
  expect(outcome.applied?.trained).toEqual([0, 1, 2, 3, 4, 6])
  const before = all(learner)
  expect(learner.trainStep([event(0, 200)])).toEqual({
    applied: null,
    quarantined: [],
    refused: [0],
    blockLimit: 128,
    beginnings: null,
  })
  expect(all(learner)).toEqual(before)
  learner.dispose()
})

test('an event longer than the settings allow is no want of memory', () => {
  const learner = new Learner(CONFIG)
  expect(() => learner.trainStep([event(0, 300)])).toThrow(expect.objectContaining({ code: 'INTERNAL' }))
  learner.dispose()
})

test('scores are computed in smaller batches; what fits in none is an error', () => {
  const learner = new Learner(CONFIG, { scoring: true })
  const exact = learner.score(events(60))
  memoryFor(128)
  const scores = learner.score(events(60))
  for (const [i, value] of exact.policy.entries()) expect(scores.policy[i]).toBeCloseTo(value, 3)
  expect(() => learner.score([event(0, 200)])).toThrow(expect.objectContaining({ code: 'DEVICE_OUT_OF_MEMORY' }))
  learner.dispose()
})

test('no memory for the smallest batch ends with an error, and nothing has changed', () => {
  const learner = new Learner(CONFIG)
  const before = all(learner)
  memoryFor(0)
  const failure = expect.objectContaining({ code: 'DEVICE_OUT_OF_MEMORY', place: expect.stringContaining('32_') })
  expect(() => learner.trainStep(events(20))).toThrow(failure)
  vi.restoreAllMocks()
  expect({ adapter: learner.adapterSha256(), step: learner.step }).toEqual({ adapter: before.adapter, step: 0 })
  learner.dispose()
})
