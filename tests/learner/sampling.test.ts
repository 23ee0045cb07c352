import { afterEach, expect, test, vi } from 'vitest'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { loadConfig } from '../../src/config/config.js'
import { Session } from '../../src/engine/index.js'
import { Learner } from '../../src/learner/learner.js'
import { type LearnerOptions, openModel } from '../../src/learner/open-model.js'
import type { SamplingOptions } from '../../src/model/generate.js'
import { cases } from '../support/thorough.js'

afterEach(() => vi.restoreAllMocks())

const config = (devices: readonly string[], set: readonly string[] = []) =>
  loadConfig({
    env: {},
    set: [
      ...['model.path=tests/golden/tiny_llama', 'lora.init=tests/golden/tiny_adapter', 'lora.r=4', 'lora.alpha=8'],
      ...['batch.tokens=128', 'limits.maxLength=64', `devices=${JSON.stringify(devices)}`, ...set],
    ],
  })

const DECODER = { rows: 2, length: 32 }

/** Runs `use` with a learner that only answers. */
function withLearner<T>(
  devices: readonly string[],
  use: (learner: Learner) => T,
  { set = [], ...options }: LearnerOptions & { readonly set?: readonly string[] } = {},
): T {
  const learner = new Learner(config(devices, set), { training: false, decoder: DECODER, ...options })
  try {
    return use(learner)
  } finally {
    learner.dispose()
  }
}

const sampling = (more: Partial<SamplingOptions> = {}): SamplingOptions => ({
  ...{ maxTokens: 8, temperature: 1, seed: 5, eosIds: new Set([...Array(32).keys()]) },
  ...more,
})

/** Seven prompts of 1 to 19 tokens: four groups. */
const PROMPTS = Array.from({ length: 7 }, (_, i) => Array.from({ length: 1 + 3 * i }, (_, k) => 3 + i * 11 + k * 5))

const ONE = ['CPU:0']
const SEVERAL = [
  ['CPU:0', 'CPU:1'],
  ['CPU:0', 'CPU:1', 'CPU:2'],
  ['CPU:0', 'CPU:1', 'CPU:1'],
]
const WAYS = [['model.executor=graph'], ['model.executor=graph', 'model.dtype=bf16'], ['model.executor=xla']]

test.each(cases(WAYS, WAYS.slice(0, 1)))('answers are token for token those of one place at several: %s', (...set) => {
  const one = withLearner(ONE, (learner) => learner.generate(PROMPTS, sampling()), { set })
  expect(new Set(one.map(({ length }) => length)).size).toBeGreaterThan(2)
  for (const devices of cases(SEVERAL, SEVERAL.slice(0, 2))) {
    const start = vi.spyOn(Session.prototype, 'start')
    const use = (learner: Learner) => ({ answers: learner.generate(PROMPTS, sampling()), places: learner.placeUse })
    const several = withLearner(devices, use, { set })
    expect(several.answers).toEqual(one)
    const sampledAt = start.mock.calls.filter(([name]) => name === 'decode').map(([, , place]) => place)
    expect([...new Set(sampledAt)].sort()).toEqual([...devices.keys()])
    for (const { busySeconds } of several.places) expect(busySeconds).toBeGreaterThan(0)
    start.mockRestore()
  }
})

test('an answer depends on its prompt and number, not on the others', () => {
  withLearner(ONE, (learner) => {
    const answers = learner.generate(PROMPTS, sampling())
    const others = PROMPTS.map((prompt, i) => (i % 2 === 0 ? prompt : [9, 8, 7, 6, 5]))
    const beside = learner.generate([...others, [3]], sampling())
    for (const i of [0, 2, 4, 6]) expect(beside[i]).toEqual(answers[i])
    const alike = learner.generate([[5], [5], [5]], sampling({ eosIds: new Set() }))
    expect(new Set(alike.map(String)).size).toBe(3)
  })
})

test('a prompt that leaves no room for the answer loses tokens from its left, and an empty one is token 0', () => {
  const text = Array.from({ length: 2 * DECODER.length }, (_, k) => 3 + k * 3)
  const endless = { eosIds: new Set<number>() }
  withLearner(ONE, (learner) => {
    const answers = (prompt: readonly number[], maxTokens: number) =>
      learner.generate([prompt], sampling({ ...endless, maxTokens }))[0]!
    expect(answers(text, 8)).toHaveLength(8)
    expect(answers(text, 8)).toEqual(answers(text.slice(-(DECODER.length - 8)), 8))
    expect(answers(text, 8)).not.toEqual(answers(text.slice(-8), 8))
    expect(answers([], 8)).toEqual(answers([0], 8))
    expect(answers([], 8)).toHaveLength(8)
    // the last token of a prompt is kept, and the cache has no room for more than this
    for (const maxTokens of [DECODER.length, 2 * DECODER.length]) {
      expect(answers(text, maxTokens)).toHaveLength(DECODER.length - 1)
      expect(answers(text, maxTokens)).toEqual(answers(text.slice(-1), maxTokens))
    }
  })
})

test('a greedy answer is made of the tokens that the forward pass finds likeliest', () => {
  const prompts = PROMPTS.slice(1, 3)
  const given = { divergence: false, answerRows: prompts.length }
  const greedy = sampling({ temperature: 0, maxTokens: 6, eosIds: new Set() })
  withLearner(
    ONE,
    (learner) => {
      const every = Array.from({ length: learner.vocabSize }, (_, token) => token)
      const adapter = learner.adapter()
      for (const [i, answer] of learner.answersUnder(adapter, prompts, greedy).entries()) {
        expect(answer).toHaveLength(6)
        for (const [k, token] of answer.entries()) {
          const promptTokens = [...prompts[i]!, ...answer.slice(0, k)]
          const pairs = every.map((next) => ({ promptTokens, completionTokens: [next] }))
          const logps = learner.logpsUnder(adapter, pairs) as readonly number[]
          expect(token).toBe(logps.indexOf(Math.max(...logps)))
        }
      }
    },
    { given },
  )
})

test('tokens come as often as the model gives them probability', () => {
  const prompt = [3, 40, 7]
  const given = { divergence: false, answerRows: 16 }
  withLearner(
    ONE,
    (learner) => {
      const every = Array.from({ length: learner.vocabSize }, (_, token) => token)
      const pairs = every.map((token) => ({ promptTokens: prompt, completionTokens: [token] }))
      const logps = learner.logpsUnder(learner.adapter(), pairs) as readonly number[]
      const moment = (of: (logp: number) => number) => logps.reduce((sum, logp) => sum + Math.exp(logp) * of(logp), 0)
      const mean = moment((logp) => logp)
      const deviation = Math.sqrt(moment((logp) => (logp - mean) ** 2))
      const prompts = Array.from({ length: 1024 }, () => prompt)
      const drawn = learner.answersUnder(learner.adapter(), prompts, sampling({ maxTokens: 1 })).flat()
      const found = drawn.reduce((sum, token) => sum + logps[token]!, 0) / prompts.length
      expect(Math.abs(found - mean)).toBeLessThan((4 * deviation) / Math.sqrt(prompts.length))
      expect(new Set(drawn).size).toBeGreaterThan(learner.vocabSize / 2)
    },
    { given },
  )
})

test('what an adapter of NaN has left in the cache is in no later answer', () => {
  const given = { divergence: false, answerRows: 2 }
  const adapter = readAdapter('tests/golden/peft_adapter')
  const spoilt = { ...adapter, tensors: new Map([...adapter.tensors].map(([name, t]) => [name, asNaN(t)])) }
  withLearner(
    ONE,
    (learner) => {
      const answers = learner.answersUnder(adapter, PROMPTS, sampling())
      expect(() => learner.answersUnder(spoilt, PROMPTS, sampling())).toThrow(
        expect.objectContaining({ code: 'MODEL_NONFINITE' }),
      )
      expect(learner.answersUnder(adapter, PROMPTS, sampling())).toEqual(answers)
    },
    { given },
  )
})

const asNaN = <T extends { readonly data: Float32Array }>(tensor: T): T => ({
  ...tensor,
  data: tensor.data.map(() => Number.NaN),
})

test('a place that has sampled nothing has no memory for it', () => {
  const model = openModel(config(['CPU:0', 'CPU:1', 'CPU:2']), { training: false, decoder: DECODER })
  const cacheAt = (place: number) => model.session.readAt(place, 'decode.cache.0.keys')[0]
  for (const place of [0, 1, 2]) expect(() => cacheAt(place)).toThrow('FAILED_PRECONDITION')
  model.generate(PROMPTS.slice(0, 4), sampling())
  for (const place of [0, 1]) expect(cacheAt(place)?.some((value) => value !== 0)).toBe(true)
  expect(() => cacheAt(2)).toThrow('FAILED_PRECONDITION')
  model.dispose()
})
