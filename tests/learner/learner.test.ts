import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import type { TrainingEvent } from '../../src/events/types.js'
import { Learner } from '../../src/learner/learner.js'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { relativeDistance } from '../support/compare.js'
import { trainingEvent } from '../support/events.js'
import { cases } from '../support/thorough.js'

interface Batch {
  completion_input_ids: number[][]
  prompt_len: number[]
  completion_len: number[]
  label: boolean[]
}
interface Step {
  loss: number
  delta: number
  grad_norm: number
}
const golden = JSON.parse(readFileSync('tests/golden/tiny_llama.json', 'utf8')) as {
  batches: Batch[]
  f64: { train: Step[]; static: (Step & { policy_logps: number[]; ref_logps: number[] })[] }
}

const events = (batch: Batch, start = 0): TrainingEvent[] =>
  batch.completion_input_ids.map((ids, i) => {
    const [prompt, completion] = [batch.prompt_len[i]!, batch.completion_len[i]!]
    const tokens = { promptTokens: ids.slice(0, prompt), completionTokens: ids.slice(prompt, prompt + completion) }
    return trainingEvent(start + i, { ...tokens, label: batch.label[i]! })
  })

/** The settings of the golden training run. */
const learner = (...set: string[]) =>
  new Learner(
    loadConfig({
      env: {},
      set: [
        ...['model.path=tests/golden/tiny_llama', 'lora.init=tests/golden/tiny_adapter', 'lora.r=4', 'lora.alpha=8'],
        ...['bco.mode=trl', 'ratio.mode=off', 'batch.size=4', 'optimizer.lr=1e-3', 'optimizer.weightDecay=0.01'],
        // a batch has 60 tokens at most: fewer shapes to trace
        ...['limits.maxLength=128', 'batch.tokens=128'],
        ...set,
      ],
    }),
    { scoring: true },
  )

test("log-probabilities equal TRL's", () => {
  const subject = learner()
  golden.batches.forEach((batch, i) => {
    const { policy, reference } = subject.score(events(batch))
    const expected = golden.f64.static[i]!
    expect(relativeDistance(policy, expected.policy_logps)).toBeLessThan(1e-5)
    expect(relativeDistance(reference, expected.ref_logps)).toBeLessThan(1e-5)
  })
  subject.dispose()
})

test('a new adapter scores as its base, to the bit', () => {
  const subject = learner('lora.init=null')
  const { policy, reference } = subject.score(events(golden.batches[0]!))
  expect(policy).toEqual(reference)
  expect(policy.every((value) => value < 0)).toBe(true)
  subject.dispose()
})

describe.each(['graph', 'xla'])('ten steps with the %s executor', (executor) => {
  test("losses, δ, gradient norms and the trained adapter equal TRL's", () => {
    const subject = learner(`model.executor=${executor}`)
    golden.f64.train.forEach((expected, i) => {
      const { applied, quarantined } = subject.trainStep(events(golden.batches[i % 4]!))
      expect(quarantined).toEqual([])
      expect(Math.abs(applied!.loss / expected.loss - 1)).toBeLessThan(1e-5)
      expect(Math.abs(applied!.delta - expected.delta)).toBeLessThan(1e-5)
      expect(Math.abs(applied!.gradNorm / expected.grad_norm - 1)).toBeLessThan(1e-5)
    })
    const trained = openSafetensors('tests/golden/tiny_trained_f64.safetensors')
    const { tensors } = subject.adapter()
    expect([...tensors.keys()].sort()).toEqual([...trained.names].sort())
    for (const name of trained.names)
      expect(relativeDistance(tensors.get(name)!.data, trained.floats(name)), name).toBeLessThan(1e-5)
    trained.close()
    subject.dispose()
  })
})

test.each(cases(['graph', 'xla'], ['graph']))(
  'gradient checkpointing changes no byte of the adapter (%s)',
  (executor) => {
    const trained = ['false', 'true'].map((flag) => {
      const subject = learner(`model.executor=${executor}`, `model.gradientCheckpointing=${flag}`)
      for (const each of golden.batches) subject.trainStep(events(each))
      const hash = subject.adapterSha256()
      subject.dispose()
      return hash
    })
    expect(trained[1]).toBe(trained[0])
  },
)

const PAPER = ['bco.mode=paper', 'bco.reduction=classRate']
const batch = (index: number) => events(golden.batches[index]!, 4 * index)
const sha = (subject: Learner) => subject.adapterSha256()

test('the same events give the same adapter to the bit', () => {
  const runs = [learner(...PAPER), learner(...PAPER)].map((subject) => {
    for (let i = 0; i < 6; i++) subject.trainStep(batch(i % 4))
    const hash = sha(subject)
    subject.dispose()
    return hash
  })
  expect(runs[0]).toBe(runs[1])
})

test('a learner restored from its state goes on to the same bits', () => {
  const first = learner(...PAPER, 'ratio.mode=online', 'ratio.minPerClass=2')
  for (let i = 0; i < 4; i++) first.trainStep(batch(i))
  const second = learner(...PAPER, 'ratio.mode=online', 'ratio.minPerClass=2', 'lora.init=null')
  second.restore(first.adapter(), first.state())
  expect(second.step).toBe(4)
  const outcomes = [first, second].map((subject) => [
    subject.trainStep(batch(1)).applied,
    subject.trainStep(batch(2)).applied,
  ])
  expect(outcomes[1]).toEqual(outcomes[0])
  expect(sha(second)).toBe(sha(first))
  first.dispose()
  second.dispose()
})

test('a step split into micro-batches, and its events in another order, give the same adapter but for rounding', () => {
  const whole = learner(...PAPER, 'batch.size=16', 'batch.tokens=256')
  const split = learner(...PAPER, 'batch.size=16', 'batch.tokens=64', 'limits.maxLength=64')
  const all = [0, 1, 2, 3].flatMap(batch)
  const one = whole.trainStep(all).applied!
  const many = split.trainStep([...all].reverse()).applied!
  expect(one.microBatches.length).toBeLessThan(many.microBatches.length)
  expect(many.loss).toBeCloseTo(one.loss, 6)
  expect(many.gradNorm).toBeCloseTo(one.gradNorm, 5)
  const [a, b] = [whole.adapter().tensors, split.adapter().tensors]
  for (const [name, { data }] of a) expect(relativeDistance(b.get(name)!.data, data), name).toBeLessThan(1e-4)
  whole.dispose()
  split.dispose()
})

test('δ of the paper is 0 until both classes have been seen, and a step uses the δ from before it', () => {
  const subject = learner(...PAPER)
  const labelled = (label: boolean) => batch(0).map((event) => ({ ...event, label }))
  expect(subject.trainStep(labelled(true)).applied!.delta).toBe(0)
  const downs = subject.trainStep(labelled(false)).applied!
  expect(downs.delta).toBe(0)
  expect(downs.rewardUpMean).toBeNull()
  const ups = subject.trainStep(labelled(true)).applied!
  expect(ups.delta).not.toBe(0)
  subject.dispose()
})

test('β = 0 leaves the adapter as it was', () => {
  const subject = learner(...PAPER, 'bco.beta=0', 'optimizer.weightDecay=0')
  const before = sha(subject)
  const { applied } = subject.trainStep(batch(0))
  expect(applied!.gradNorm).toBe(0)
  expect(sha(subject)).toBe(before)
  subject.dispose()
})
