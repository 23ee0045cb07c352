import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest'
import { loadConfig } from '../../src/config/config.js'
import { Session } from '../../src/engine/index.js'
import { Learner } from '../../src/learner/learner.js'
import { trainingEvent } from '../support/events.js'
import { cases } from '../support/thorough.js'

/** The tiny Llama with room for longer events. */
const model = mkdtempSync(join(tmpdir(), 'bcod-places-'))
beforeAll(() => {
  cpSync('tests/golden/tiny_llama', model, { recursive: true })
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: 512 }))
})
afterAll(() => rmSync(model, { recursive: true, force: true }))
afterEach(() => vi.restoreAllMocks())

/**
 * Events in several packed batches.
 * @param shared  tokens that some of them begin with; from 256 on, the reference knows them after the first step
 */
function events(step: number, shared: number) {
  const tokens = (from: number, count: number) =>
    Array.from({ length: count }, (_, k) => 3 + ((step * 31 + from * 13 + k * 7) % 250))
  const system = Array.from({ length: shared }, (_, k) => 3 + ((k * 5) % 250))
  return Array.from({ length: 8 }, (_, i) =>
    trainingEvent(8 * step + i, {
      promptTokens: [...(i < 3 ? system : []), ...tokens(i, shared === 0 ? 40 : 40 + 9 * i)],
      completionTokens: tokens(i + 40, 20),
      label: i % 3 === 0,
    }),
  )
}

interface Way {
  readonly set: readonly string[]
  readonly shared: number
}

const ONE = ['CPU:0']
/** Virtual devices of the CPU, with weights of their own, and places of one device, which share them. */
const PLACES = [
  ['CPU:0', 'CPU:1'],
  ['CPU:0', 'CPU:0'],
  ['CPU:0', 'CPU:1', 'CPU:1'],
]

/** Layers at two devices, which compute one batch, or two at the same time. */
const STAGES = [
  ['CPU:0', 'CPU:1'],
  ['CPU:0', 'CPU:1', 'CPU:0', 'CPU:1'],
]

/** What is computed beside steps: answers, and measurements under an adapter that is given. */
const BESIDE = { decoder: { rows: 2, length: 32 }, given: { divergence: true, answerRows: 0 } }

function beside(learner: Learner) {
  const pairs = events(3, 0)
  const sampling = { maxTokens: 6, temperature: 1, seed: 5, eosIds: new Set<number>() }
  return {
    answers: learner.generate([[3, 4, 5], [6], [7, 8], [9, 10, 11, 12], [13]], sampling),
    logps: learner.logpsUnder(learner.adapter(), pairs),
    divergences: learner.divergences(learner.adapter(), null, pairs),
  }
}

/** Two steps at these devices: all that was computed, and which places computed the gradient. */
function learnt({ set, shared }: Way, devices: readonly string[], withBeside = false) {
  const limit = shared === 0 ? 128 : 384
  const config = loadConfig({
    env: {},
    set: [
      ...[`model.path=${model}`, 'lora.r=4', 'batch.size=8', `limits.maxLength=${limit}`, `batch.tokens=${limit}`],
      `devices=${JSON.stringify(devices)}`,
      ...set,
    ],
  })
  const start = vi.spyOn(Session.prototype, 'start')
  const learner = new Learner(config, { scoring: true, ...(withBeside ? BESIDE : {}) })
  const steps = [0, 1].map((step) => learner.trainStep(events(step, shared)).applied)
  const scores = learner.score(events(2, shared))
  const measured = withBeside ? beside(learner) : null
  const result = { steps, scores, measured, adapter: learner.adapterSha256(), state: learner.state() }
  learner.dispose()
  const used = start.mock.calls.filter(([name]) => name.startsWith('accumulate_')).map(([, , place]) => place)
  expect(start.mock.calls.some(([name]) => name.startsWith('continue_'))).toBe(shared > 0)
  start.mockRestore()
  return { result, used: [...new Set(used)].sort() }
}

const WAYS: readonly Way[] = [
  { set: ['model.executor=graph', 'bco.mode=paper'], shared: 260 },
  { set: ['model.executor=graph', 'bco.mode=trl'], shared: 260 },
  { set: ['model.dtype=bf16', 'bco.mode=paper'], shared: 260 },
  // events of one length are batches of one shape: XLA compiles each for seconds at every place
  { set: ['model.executor=xla', 'bco.mode=paper'], shared: 0 },
]

test.each(cases(WAYS, WAYS.slice(0, 1)))(
  'a step has the same bits at one, two and three places, of one device or several: $set.0, $set.1',
  (way) => {
    const one = learnt(way, ONE)
    expect(one.result.steps.every((step) => step !== null && step.microBatches.length > 2)).toBe(true)
    for (const devices of cases(PLACES, PLACES.slice(2))) {
      const several = learnt(way, devices)
      expect(several.used).toEqual([...devices.keys()])
      expect(several.result).toEqual(one.result)
    }
  },
)

test.each(cases(WAYS.slice(0, 3), WAYS.slice(0, 1)))(
  'a model whose layers are at two devices computes the bits of one: $set.0, $set.1',
  (way) => {
    const one = learnt(way, ONE, true)
    for (const devices of cases(STAGES, STAGES.slice(1))) {
      const staged = learnt({ ...way, set: [...way.set, 'model.stages=2'] }, devices, true)
      expect(staged.used).toEqual(devices.length === 2 ? [0] : [0, 1])
      expect(staged.result).toEqual(one.result)
    }
  },
)

test('compiled by XLA, layers at two devices compute what one does within rounding', () => {
  const way = { set: ['model.executor=xla', 'bco.mode=paper'], shared: 0 }
  const [one, staged] = [learnt(way, ONE), learnt({ ...way, set: [...way.set, 'model.stages=2'] }, STAGES[1]!)]
  const [first, second] = [one, staged].map(({ result }) => [...result.state.get('optimizer.first_moment')!.data])
  expect(Math.hypot(...first!.map((value, i) => value - second![i]!)) / Math.hypot(...first!)).toBeLessThan(1e-4)
  for (const [i, value] of staged.result.scores.policy.entries())
    expect(value).toBeCloseTo(one.result.scores.policy[i]!, 3)
})
