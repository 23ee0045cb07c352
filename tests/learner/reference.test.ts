import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { readAdapter, writeAdapter } from '../../src/adapters/weights/peft.js'
import { evaluate } from '../../src/cli/eval/evaluate.js'
import { loadConfig } from '../../src/config/config.js'
import { BcodError } from '../../src/errors.js'
import { Learner } from '../../src/learner/learner.js'
import type { LearnerOptions } from '../../src/learner/open-model.js'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { type WritableTensor, writeSafetensors } from '../../src/safetensors/writer.js'
import { trainingEvent } from '../support/events.js'
import { spoiltModel } from '../support/spoilt-model.js'

const scratch = mkdtempSync(join(tmpdir(), 'bcod-reference-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

type Tensors = Map<string, WritableTensor>

/** A copy of a model, with another config and other tensors. */
function variant(from: string, config: object, change: (tensors: Tensors) => void = () => undefined): string {
  const directory = mkdtempSync(join(scratch, 'model-'))
  cpSync(from, directory, { recursive: true })
  const own = JSON.parse(readFileSync(join(from, 'config.json'), 'utf8'))
  writeFileSync(join(directory, 'config.json'), JSON.stringify({ ...own, ...config }))
  const path = join(directory, 'model.safetensors')
  const file = openSafetensors(path)
  const tensors: Tensors = new Map(
    file.names.map((name) => [name, { shape: file.info(name).shape, data: file.floats(name) }]),
  )
  file.close()
  change(tensors)
  writeSafetensors(path, tensors, { format: 'pt' })
  return directory
}

function withLearner<T>(model: string, options: LearnerOptions, use: (learner: Learner) => T, ...set: string[]): T {
  const base = [`model.path=${model}`, 'lora.r=4', 'limits.maxLength=96', 'batch.tokens=96', 'batch.size=4']
  const learner = new Learner(loadConfig({ env: {}, set: [...base, ...set] }), options)
  try {
    return use(learner)
  } finally {
    learner.dispose()
  }
}

const SCORING = { training: false, scoring: true }

/** Log-probabilities of both answers under the reference. */
const scores = (model: string, { prompt, chosen, rejected }: Record<'prompt' | 'chosen' | 'rejected', number[]>) =>
  withLearner(model, SCORING, (learner) => {
    const pair = (completionTokens: number[]) => ({ promptTokens: prompt, completionTokens })
    const { reference } = learner.score([pair(chosen), pair(rejected)])
    return { values: [...reference], notes: learner.notes }
  })

/** transformers 5.23.0 in f32; its own rounding is of this size. */
const close = (found: readonly number[], wanted: readonly number[]) =>
  found.forEach((value, i) => {
    expect(Math.abs(value / (wanted[i] as number) - 1)).toBeLessThan(1e-5)
  })

describe('rotary positions give the log-probabilities of transformers', () => {
  const from = 'tests/golden/arch/llama3_scaled_untied'
  const scaled = { factor: 8, high_freq_factor: 4, low_freq_factor: 1, rope_theta: 500_000, rope_type: 'llama3' }
  const pair = {
    prompt: [5, 17, 93, 4, 150, 33, 8, 190, ...Array.from({ length: 20 }, (_, i) => 61 + i)],
    chosen: [12, 99, 140, 7, 55, ...Array.from({ length: 12 }, (_, i) => 81 + i), 2],
    rejected: [101, 3, 44, 2],
  }
  test.each([
    ['of Llama 3 without its original context', { rope_parameters: scaled }, [-111.178683, -25.08518]],
    [
      'with it at the top level',
      { rope_parameters: scaled, original_max_position_embeddings: 32 },
      [-111.375179, -24.571815],
    ],
    [
      'within, beside an empty rope_scaling',
      { rope_scaling: {}, rope_parameters: { ...scaled, original_max_position_embeddings: 32 } },
      [-111.375183, -24.571815],
    ],
    [
      'with bounds that cross',
      { rope_parameters: { ...scaled, rope_theta: 10_000, low_freq_factor: 64, high_freq_factor: 16 } },
      [-111.366584, -24.739987],
    ],
    ['linear', { rope_theta: 500_000, rope_scaling: { type: 'linear', factor: 4 } }, [-108.908204, -21.328765]],
    [
      'linear, beside other rope_parameters',
      { rope_scaling: { rope_type: 'linear', factor: 4 }, rope_parameters: { rope_type: 'default', rope_theta: 5e5 } },
      [-108.088299, -21.190873],
    ],
    ['dynamic', { rope_theta: 500_000, rope_scaling: { type: 'dynamic', factor: 4 } }, [-110.834047, -25.361132]],
  ])('%s', (_, config, wanted) => {
    const none = { rope_parameters: undefined, rope_scaling: undefined, rope_theta: undefined }
    close(scores(variant(from, { ...none, ...config }), pair).values, wanted)
  })
})

describe('an output layer that config.json ties to the embedding', () => {
  const from = 'src/demo/model'
  const pair = { prompt: [1, 40, 50, 60, 2], chosen: [70, 80, 90, 2], rejected: [100, 110, 2] }
  /** Each row of the head is the embedding of the next token. */
  const rolled = (tensors: Tensors) => {
    const { shape, data } = tensors.get('model.embed_tokens.weight') as WritableTensor
    const width = shape[1] as number
    const head = Float32Array.from(data as Float32Array, (_, i) => (data as Float32Array)[(i + width) % data.length]!)
    tensors.set('lm_head.weight', { shape, data: head })
  }
  const same = (tensors: Tensors) =>
    tensors.set('lm_head.weight', { ...(tensors.get('model.embed_tokens.weight') as WritableTensor) })

  test('is the one in the files where that is another, with a warning', () => {
    const { values, notes } = scores(variant(from, {}, rolled), pair)
    close(values, [-37.788235, -36.196572])
    expect(notes).toEqual([expect.stringMatching(/ties the output layer .* lm_head\.weight is another/)])
  })

  test.each([
    ['there and the same', same],
    ['not there', () => undefined],
    [
      'there alone, without the embedding',
      (tensors: Tensors) => {
        same(tensors)
        tensors.delete('model.embed_tokens.weight')
      },
    ],
  ])('is the embedding where it is %s', (_, change) => {
    const { values, notes } = scores(variant(from, {}, change as (tensors: Tensors) => void), pair)
    close(values, [-40.528061, -36.486903])
    expect(notes).toEqual([])
  })

  test('and is neither tied nor there: an error that says so', () => {
    expect(() => scores(variant(from, { tie_word_embeddings: false }), pair)).toThrow(
      expect.objectContaining({
        code: 'MODEL_TENSOR_MISSING',
        message: 'no tensor lm_head.weight, and config.json does not tie it to the embedding',
        remedy: expect.stringContaining('tie_word_embeddings'),
      }),
    )
  })
})

describe('a model that is finite for no text', () => {
  const from = 'tests/golden/arch/llama3_scaled_untied'
  const spoil = (name: string, value: number) => (tensors: Tensors) => {
    const { shape, data } = tensors.get(name) as WritableTensor
    ;(data as Float32Array)[0] = value
    tensors.set(name, { shape, data })
  }
  const events = (count: number) =>
    Array.from({ length: count }, (_, i) =>
      trainingEvent(i, { promptTokens: [3 + i, 4, 5], completionTokens: [20 + i, 7], label: i % 2 === 0 }),
    )
  const failure = (use: () => unknown): BcodError => {
    try {
      use()
    } catch (error) {
      if (error instanceof BcodError) return error
      throw error
    }
    throw new Error('no error')
  }
  const broken = variant(from, {}, spoil('model.norm.weight', Number.NaN))
  const named = 'the reference is NaN or infinite for every text: model.norm.weight holds NaN or infinity'

  test.each([1, 4])('ends the first step of %d events by its own code, and puts no event aside', (count) => {
    const error = failure(() => withLearner(broken, {}, (learner) => learner.trainStep(events(count))))
    expect([error.code, error.place, error.message]).toEqual(['MODEL_NONFINITE', broken, named])
  })

  test('ends scoring, embedding and answering', () => {
    const pair = { promptTokens: [3, 4], completionTokens: [5] }
    const decoder = { rows: 1, length: 8 }
    const options = { maxTokens: 2, temperature: 0, seed: 0, eosIds: new Set<number>() }
    withLearner(broken, { ...SCORING, decoder }, (learner) => {
      expect(failure(() => learner.score([pair])).message).toBe(named)
      expect(failure(() => learner.embeddings(events(2))).message).toBe(named)
      expect(failure(() => learner.generate([[3, 4]], options))).toMatchObject({
        code: 'MODEL_NONFINITE',
        message: named,
      })
    })
  })

  test('is told apart from one whose weights are finite and whose numbers overflow', () => {
    const huge = variant(from, {}, (tensors) => {
      const { data } = tensors.get('lm_head.weight') as WritableTensor
      ;(data as Float32Array).fill(3e38)
    })
    expect(failure(() => withLearner(huge, {}, (learner) => learner.trainStep(events(2))))).toMatchObject({
      code: 'MODEL_NONFINITE',
      message: expect.stringMatching(/every weight is finite: its numbers overflow/),
    })
  })

  test('is not one with a single bad embedding, whatever votes bring it: they are put aside', () => {
    const spoilt = spoiltModel(join(scratch, 'one token'), 150, Number.NaN)
    withLearner(spoilt, {}, (learner) => {
      const bad = trainingEvent(0, { promptTokens: [150, 4], completionTokens: [5], label: true })
      expect(learner.trainStep([bad])).toMatchObject({ applied: null, quarantined: [0] })
      expect(learner.trainStep(events(4)).applied?.step).toBe(1)
    })
  })

  test('is not evaluated as if it were wrong: pairs that are not finite count nowhere', async () => {
    const spoilt = spoiltModel(join(scratch, 'one token of pairs'), 150, Number.NaN)
    const pair = (token: number, line: number) => {
      const answer = (id: number) => ({ promptTokens: [token, 4], completionTokens: [id, 2] })
      return { line, chosen: answer(9), rejected: answer(11) }
    }
    async function* pairs(...tokens: number[]) {
      yield* tokens.map(pair)
    }
    const base = [`model.path=${spoilt}`, 'lora.r=4', 'limits.maxLength=32', 'batch.tokens=64']
    const learner = new Learner(loadConfig({ env: {}, set: base }), SCORING)
    const options = { beta: 0.1, delta: null, rows: null }
    expect(await evaluate(learner, pairs(3, 150), options)).toMatchObject({ pairs: 1, accuracy: 0.5, non_finite: 1 })
    await expect(evaluate(learner, pairs(150), options)).rejects.toMatchObject({ code: 'MODEL_NONFINITE' })
    learner.dispose()
  })

  test('as an adapter to start from is refused before anything is computed', () => {
    const adapter = readAdapter('tests/golden/arch/llama3_scaled_untied_adapter')
    const [[name, tensor] = []] = [...adapter.tensors]
    const data = Float32Array.from(tensor!.data).fill(Number.NaN, 0, 1)
    const directory = join(scratch, 'adapter')
    writeAdapter(directory, { ...adapter, tensors: new Map([...adapter.tensors, [name!, { ...tensor!, data }]]) })
    const set = [`lora.init=${directory}`, `lora.r=${adapter.r}`, `lora.alpha=${adapter.alpha}`]
    expect(
      failure(() => withLearner(from, {}, () => undefined, ...set, `lora.rslora=${adapter.rslora}`)),
    ).toMatchObject({
      code: 'ADAPTER_NONFINITE',
      place: directory,
    })
  })
})
