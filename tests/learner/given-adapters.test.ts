import { readFileSync } from 'node:fs'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import type { Adapter } from '../../src/adapters/weights/adapter.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { loadConfig } from '../../src/config/config.js'
import { Session } from '../../src/engine/index.js'
import { BcodError } from '../../src/errors.js'
import { Learner } from '../../src/learner/learner.js'
import { piecesOf } from '../../src/learner/pieces.js'
import type { TokenPair } from '../../src/learner/token-trees.js'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { relativeDistance } from '../support/compare.js'
import { trainingEvent } from '../support/events.js'

const golden = JSON.parse(readFileSync('tests/golden/peft_adapter.json', 'utf8')) as {
  rows: { prompt_tokens: number[]; completion_tokens: number[] }[]
  reference: number[]
  policy: Readonly<Record<string, number[]>>
}
const pairs: TokenPair[] = golden.rows.map((row) => ({
  promptTokens: row.prompt_tokens,
  completionTokens: row.completion_tokens,
}))
const policy = golden.policy.peft_adapter!
const peft = readAdapter('tests/golden/peft_adapter')
const VOCABULARY = JSON.parse(readFileSync('tests/golden/tiny_llama/config.json', 'utf8')).vocab_size as number

const learner = new Learner(
  loadConfig({
    env: {},
    set: [
      ...['model.path=tests/golden/tiny_llama', 'lora.init=tests/golden/tiny_adapter', 'lora.r=4', 'lora.alpha=8'],
      ...['ratio.mode=off', 'batch.size=32', 'batch.tokens=256', 'limits.maxLength=200', 'optimizer.lr=1e-2'],
    ],
  }),
  { given: { divergence: true, answerRows: 2 } },
)
afterAll(() => learner.dispose())

/** None of the pairs is too long for the device. */
function numbers(values: readonly (number | null)[]): readonly number[] {
  expect(values).not.toContain(null)
  return values as readonly number[]
}

/** log π(v|prompt) of every token v: a whole distribution out of log-probabilities that PEFT's numbers vouch for. */
const distribution = (adapter: Adapter | null, promptTokens: readonly number[]) =>
  numbers(
    learner.logpsUnder(
      adapter,
      Array.from({ length: VOCABULARY }, (_, token) => ({ promptTokens, completionTokens: [token] })),
    ),
  )

describe('under an adapter that is given', () => {
  test("log-probabilities are PEFT's, and without one those of the base", () => {
    expect(relativeDistance(numbers(learner.logpsUnder(peft, pairs)), policy)).toBeLessThan(1e-5)
    expect(relativeDistance(numbers(learner.logpsUnder(null, pairs)), golden.reference)).toBeLessThan(1e-5)
  })

  test('the KL of each completion is the sum over its positions and the whole vocabulary', () => {
    const some = pairs.slice(0, 2)
    for (const other of [null, readAdapter('tests/golden/tiny_adapter')]) {
      const wanted = some.map(({ promptTokens, completionTokens }) =>
        completionTokens
          .map((_, position) => {
            const prefix = [...promptTokens, ...completionTokens.slice(0, position)]
            const [p, q] = [distribution(peft, prefix), distribution(other, prefix)]
            return p.reduce((sum, logp, token) => sum + Math.exp(logp) * (logp - q[token]!), 0)
          })
          .reduce((sum, kl) => sum + kl, 0),
      )
      const found = numbers(learner.divergences(peft, other, some))
      found.forEach((kl, i) => {
        expect(kl).toBeGreaterThan(1e-3)
        expect(Math.abs(kl / wanted[i]! - 1)).toBeLessThan(1e-3)
      })
    }
  })

  test('what is asked in one call has the bits of what is asked in calls of a packed batch each', () => {
    const many = [...pairs, ...pairs.toReversed()]
    const pieces = piecesOf(many, 128)
    expect(pieces.length).toBeGreaterThan(2)
    expect(learner.logpsUnder(peft, many)).toEqual(pieces.flatMap((piece) => learner.logpsUnder(peft, piece)))
  })

  test('an adapter is no distance from itself', () => {
    expect(learner.divergences(peft, peft, pairs)).toEqual(pairs.map(() => 0))
  })

  test('each token of a greedy answer is the likeliest', () => {
    const prompts = pairs.slice(0, 2).map(({ promptTokens }) => promptTokens)
    const answers = learner.answersUnder(peft, prompts, { maxTokens: 6, temperature: 0, seed: 0, eosIds: new Set() })
    answers.forEach((answer, i) => {
      expect(answer).toHaveLength(6)
      answer.forEach((token, position) => {
        const logps = distribution(peft, [...prompts[i]!, ...answer.slice(0, position)])
        expect(logps[token]).toBeGreaterThan(Math.max(...logps) - 1e-4)
      })
    })
  })
})

describe('on a device without memory for long batches', () => {
  afterEach(() => vi.restoreAllMocks())

  test('a pair that no batch left has room for has no figure; the others have theirs', () => {
    const { start } = Session.prototype
    vi.spyOn(Session.prototype, 'start').mockImplementation(function (this: Session, name, ...rest) {
      const tokens = Number(/^(?:given|divergence)_(\d+)_/.exec(name)?.[1] ?? 0)
      if (tokens > 128) throw new BcodError('DEVICE_OUT_OF_MEMORY', 'no memory', { place: name })
      return start.call(this, name, ...rest)
    })
    const long = { promptTokens: Array.from({ length: 140 }, (_, i) => 3 + (i % 40)), completionTokens: [5, 6] }
    const isShort = ({ promptTokens, completionTokens }: TokenPair) =>
      promptTokens.length + completionTokens.length <= 128
    const [first, ...rest] = pairs.filter(isShort)
    const [logp, none, ...logps] = learner.logpsUnder(peft, [first!, long, ...rest])
    expect(none).toBeNull()
    const wanted = policy.filter((_, i) => isShort(pairs[i]!))
    expect(relativeDistance(numbers([logp!, ...logps]), wanted)).toBeLessThan(1e-5)
    expect(learner.divergences(peft, peft, [long, first!])).toEqual([null, 0])
  })
})

describe('what learns', () => {
  const snapshot = () => [learner.adapterSha256(), [...learner.state()].map(([name, { data }]) => [name, [...data]])]

  test('is moved by none of it, also if a call fails; the next step is the one that would have followed', () => {
    learner.trainStep(pairs.slice(0, 4).map((pair, i) => trainingEvent(i, { ...pair, label: i % 2 === 0 })))
    const before = snapshot()
    learner.logpsUnder(peft, pairs)
    learner.divergences(peft, null, pairs)
    const [prompt] = pairs.map(({ promptTokens }) => promptTokens)
    learner.answersUnder(null, [prompt!], { maxTokens: 2, temperature: 0, seed: 0, eosIds: new Set() })
    expect(() => learner.logpsUnder({ ...peft, r: 5 }, pairs)).toThrow(/ADAPTER_MISMATCH|r is 5/)
    const spoilt = new Map([...peft.tensors].map(([name, t]) => [name, { ...t, data: t.data.map(() => Number.NaN) }]))
    expect(learner.logpsUnder({ ...peft, tensors: spoilt }, pairs).every(Number.isNaN)).toBe(true)
    expect(snapshot()).toEqual(before)
  })
})

test("the norms of weights are those of the model's files", () => {
  const modules = ['model.layers.0.self_attn.q_proj', 'model.layers.1.mlp.down_proj']
  const file = openSafetensors('tests/golden/tiny_llama/model.safetensors')
  const wanted = modules.map((module) => Math.hypot(...file.floats(`${module}.weight`)))
  file.close()
  learner.weightNorms(modules).forEach((norm, i) => {
    expect(norm).toBeCloseTo(wanted[i]!, 9)
  })
  expect(() => learner.weightNorms(['model.layers.9.mlp.up_proj'])).toThrow(
    expect.objectContaining({ code: 'MODEL_TENSOR_MISSING' }),
  )
})
