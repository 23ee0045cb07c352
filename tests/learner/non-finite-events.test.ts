import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { Learner } from '../../src/learner/learner.js'
import { trainingEvent } from '../support/events.js'
import { spoiltModel } from '../support/spoilt-model.js'

const SPOILT = 150
const directory = mkdtempSync(join(tmpdir(), 'bcod-quarantine-'))
afterAll(() => rmSync(directory, { recursive: true, force: true }))

const learner = (model: string, ...set: string[]) => {
  const base = [`model.path=${model}`, 'lora.r=4', 'limits.maxLength=32', 'batch.tokens=64', 'optimizer.lr=1e-2']
  return new Learner(loadConfig({ env: {}, set: [...base, 'batch.size=6', ...set] }))
}

/** Six votes of both classes on sound tokens; those at `culprits` have the spoilt token in their prompt. */
const events = (...culprits: number[]) =>
  Array.from({ length: 6 }, (_, i) => {
    const tokens = (from: number, count: number) => Array.from({ length: count }, (_, k) => 3 + i * 11 + from + k)
    const promptTokens = [...tokens(0, 4), culprits.includes(i) ? SPOILT : 4, 5]
    return trainingEvent(i, { promptTokens, completionTokens: tokens(20, 3 + i), label: i % 2 === 0 })
  })

const all = (subject: Learner) => ({ adapter: subject.adapterSha256(), state: subject.state(), step: subject.step })

describe.each([
  [Number.NaN, 'bco.mode=paper'],
  [Number.POSITIVE_INFINITY, 'bco.mode=paper'],
  [Number.NaN, 'bco.mode=trl'],
])('with one embedding that is %d, %s', (value, ...set) => {
  const model = spoiltModel(join(directory, `${value}-${set}`), SPOILT, value)

  test('an event that holds its token is put aside and the rest trains as if it had not been there', () => {
    const subject = learner(model, ...set)
    const outcome = subject.trainStep(events(2, 5))
    expect(outcome.quarantined).toEqual([2, 5])
    expect(outcome.applied).toMatchObject({ step: 1, trained: [0, 1, 3, 4] })

    const without = learner(model, ...set)
    const { applied } = without.trainStep(events().filter((_, i) => i !== 2 && i !== 5))
    expect(all(subject)).toEqual(all(without))
    expect(outcome.applied).toEqual({ ...applied, trained: [0, 1, 3, 4] })

    const [next, nextWithout] = [subject.trainStep(events()), without.trainStep(events())]
    expect(next.quarantined).toEqual([])
    expect(next).toEqual(nextWithout)
    subject.dispose()
    without.dispose()
  })

  test('a step of such events alone changes nothing', () => {
    const subject = learner(model, ...set)
    subject.trainStep(events())
    const before = all(subject)
    const { applied, quarantined } = subject.trainStep(events(0, 1, 2, 3, 4, 5))
    expect({ applied, quarantined }).toEqual({ applied: null, quarantined: [0, 1, 2, 3, 4, 5] })
    expect(all(subject)).toEqual(before)
    expect(subject.trainStep(events()).applied?.step).toBe(2)
    subject.dispose()
  })
})

test('compiled code finds the event too', () => {
  const model = spoiltModel(join(directory, 'xla'), SPOILT, Number.NaN)
  const subject = learner(model, 'model.executor=xla', 'batch.tokens=32')
  const { applied, quarantined } = subject.trainStep(events(3))
  expect(quarantined).toEqual([3])
  expect(applied).toMatchObject({ step: 1, trained: [0, 1, 2, 4, 5] })
  expect(Number.isFinite(applied?.gradNorm)).toBe(true)
  subject.dispose()
})
