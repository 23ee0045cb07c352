import { afterEach, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { Session } from '../../src/engine/index.js'
import { Learner } from '../../src/learner/learner.js'
import { trainingEvent } from '../support/events.js'
import { cases } from '../support/thorough.js'

const config = (devices: number) =>
  loadConfig({
    env: {},
    set: [
      ...['model.path=tests/golden/tiny_llama', 'lora.r=4', 'limits.maxLength=128', 'batch.tokens=128', 'batch.size=6'],
      `devices=${JSON.stringify(Array.from({ length: devices }, (_, k) => `CPU:${k}`))}`,
    ],
  })
const events = Array.from({ length: 6 }, (_, i) =>
  trainingEvent(i, {
    promptTokens: Array.from({ length: 60 }, (_, k) => 3 + ((i * 13 + k * 7) % 250)),
    completionTokens: Array.from({ length: 20 }, (_, k) => 3 + ((i * 29 + k * 11) % 250)),
    label: i % 2 === 0,
  }),
)

afterEach(() => vi.restoreAllMocks())

/** Opens a learner whose place differs: its value of a variable has another last bit. */
function withOther(variable: RegExp, at: readonly number[], devices: number, options = {}): Learner {
  const { write } = Session.prototype
  vi.spyOn(Session.prototype, 'write').mockImplementation(function (this: Session, values, place) {
    write.call(this, values, place)
    for (const [name, value] of Object.entries(values)) {
      if (!variable.test(name)) continue
      const bytes = Uint8Array.from(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
      bytes[0]! ^= 1
      for (const each of at) write.call(this, { [name]: bytes }, each)
    }
  })
  const learner = new Learner(config(devices), options)
  vi.restoreAllMocks()
  return learner
}

const used = (learner: Learner) => learner.placeUse.map((place) => place.used)

function step(learner: Learner) {
  const start = vi.spyOn(Session.prototype, 'start')
  const { applied } = learner.trainStep(events)
  const places = start.mock.calls.filter(([name]) => name.startsWith('accumulate_')).map(([, , place]) => place)
  start.mockRestore()
  const result = { adapter: applied!.adapterSha256, places: [...new Set(places)].sort() }
  learner.dispose()
  return result
}

test('places that compute the same bits are all used', () => {
  const learner = new Learner(config(2))
  expect(used(learner)).toEqual([true, true])
  const { adapter, places } = step(learner)
  expect(places).toEqual([0, 1])
  expect(step(new Learner(config(1))).adapter).toBe(adapter)
})

const DIFFERENT = [
  ['an adapter', /^lora\.values$/],
  ['a norm', /norm/],
] as const

test.each(cases(DIFFERENT, DIFFERENT.slice(0, 1)))(
  'a place with %s of other bits is refused; the others go on',
  (_, name) => {
    const learner = withOther(name, [1], 3)
    expect(used(learner)).toEqual([true, false, true])
    expect(learner.placeUse.map(({ device }) => device)).toEqual(['CPU:0', 'CPU:1', 'CPU:2'])
    const { adapter, places } = step(learner)
    expect(places).toEqual([0, 2])
    expect(step(new Learner(config(1))).adapter).toBe(adapter)
  },
)

test('if all others differ, it goes on with the first alone, also where nothing trains', () => {
  const learner = withOther(/norm/, [1, 2], 3, { training: false, scoring: true })
  expect(used(learner)).toEqual([true, false, false])
  const alone = new Learner(config(1), { training: false, scoring: true })
  expect(learner.score(events)).toEqual(alone.score(events))
  learner.dispose()
  alone.dispose()
})
