import { expect, it } from 'vitest'
import { type JudgedStep, Progressive } from '../../src/backtest/progressive.js'
import type { TrainingEvent } from '../../src/events/types.js'
import { PromptClassifier } from '../../src/ratio/prompt-classifier.js'
import { appliedStep } from '../support/applied-step.js'

const event = (offset: number, label: boolean, more: Partial<TrainingEvent> = {}): TrainingEvent => ({
  position: { topic: 'votes.jsonl', partition: 0, offset },
  ...{ timestamp: 0, source: 'test', id: `${offset}`, subject: null, user: null, label, weight: 1 },
  ...{ promptTokens: [1, offset % 3], completionTokens: [3, 4], ...more },
})

const step = (events: readonly TrainingEvent[], logRatios: readonly number[], delta = 0): JudgedStep => ({
  ...{ events, delta, embeddings: events.map(() => null) },
  applied: { ...appliedStep(1, [...events.keys()]), logRatios },
})

const progressive = () =>
  new Progressive({
    ...{ beta: 0.1, seed: 0 },
    classifier: new PromptClassifier({ mode: 'online', min: 0.1, max: 10, halfLife: 512, seed: 0 }),
  })

it('a vote is judged by β log π/π_ref less the δ from before its step', () => {
  const judged = progressive()
  judged.add(step([event(1, true), event(2, false)], [3, -1], 0.05))
  expect(judged.votes.map(({ scores }) => scores.model)).toEqual([0.1 * 3 - 0.05, -0.1 - 0.05])
  expect(judged.votes[0]?.right).toEqual({ model: 0.5, majority: 0.5, length: 0.5, prompt: 0.5 })
})

it('nothing that is said of a step depends on its own labels', () => {
  const after = (labels: readonly boolean[]) => {
    const judged = progressive()
    judged.add(step([event(1, true), event(2, false), event(3, true)], [2, -2, 1]))
    judged.add(
      step(
        labels.map((label, i) => event(4 + i, label)),
        [2, -1],
      ),
    )
    return judged.votes.slice(3)
  }
  const [these, others] = [after([true, false]), after([false, true])]
  expect(these.map(({ scores }) => scores)).toEqual(others.map(({ scores }) => scores))
  expect(others.map(({ right }) => right.model)).toEqual(these.map(({ right }) => 1 - right.model))
})

it('votes of a user hang together; without users those on a prompt do', () => {
  const judged = progressive()
  const events = [event(1, true, { user: 'a' }), event(2, true, { user: 'a' }), event(3, false), event(6, false)]
  judged.add(step(events, [1, 1, 1, 1]))
  const clusters = judged.votes.map(({ cluster }) => cluster)
  expect(clusters[0]).toBe(clusters[1])
  expect(clusters[2]).toBe(clusters[3])
  expect(new Set(clusters).size).toBe(2)
})

it('what did not train, or has no weight, is not judged', () => {
  const judged = progressive()
  const events = [event(1, true), event(2, true, { weight: 0 }), event(3, false)]
  const both = step(events, [1, 2])
  judged.add({ ...both, applied: { ...both.applied, trained: [1, 2] } })
  expect(judged.votes.map(({ line, scores }) => [line, scores.model])).toEqual([[3, 0.2]])
})
