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

/** Events in several packed batches; some of them begin alike, for longer than the reference computes anew. */
function events(step: number) {
  const tokens = (from: number, count: number) =>
    Array.from({ length: count }, (_, k) => 3 + ((step * 31 + from * 13 + k * 7) % 250))
  const system = Array.from({ length: 260 }, (_, k) => 3 + ((k * 5) % 250))
  return Array.from({ length: 8 }, (_, i) =>
    trainingEvent(8 * step + i, {
      promptTokens: [...(i < 3 ? system : []), ...tokens(i, 40 + 9 * i)],
      completionTokens: tokens(i + 40, 20),
      label: i % 3 === 0,
    }),
  )
}

/** Three steps at so many virtual devices of the CPU: all that was computed, and which places computed the gradient. */
function learnt(devices: number, ...set: string[]) {
  const names = Array.from({ length: devices }, (_, k) => `CPU:${k}`)
  const config = loadConfig({
    env: {},
    set: [
      ...[`model.path=${model}`, 'lora.r=4', 'limits.maxLength=512', 'batch.tokens=512'],
      ...['batch.size=8', ...(devices === 1 ? [] : [`devices=${JSON.stringify(names)}`]), ...set],
    ],
  })
  const start = vi.spyOn(Session.prototype, 'start')
  const learner = new Learner(config, { scoring: true })
  const steps = [0, 1, 2].map((step) => learner.trainStep(events(step)).applied)
  const scores = learner.score(events(3))
  const result = { steps, scores, adapter: learner.adapterSha256(), state: learner.state() }
  learner.dispose()
  const used = start.mock.calls.filter(([name]) => name.startsWith('accumulate_')).map(([, , place]) => place)
  expect(start.mock.calls.some(([name]) => name.startsWith('continue_'))).toBe(true)
  start.mockRestore()
  return { result, used: [...new Set(used)].sort() }
}

const WAYS = [
  ['model.executor=graph', 'bco.mode=paper'],
  ['model.executor=graph', 'bco.mode=trl'],
  ['model.executor=xla', 'bco.mode=paper'],
  ['model.dtype=bf16', 'bco.mode=paper'],
]

test.each(cases(WAYS, WAYS.slice(0, 1)))('a step has the same bits at one, two and three places (%s, %s)', (...set) => {
  const one = learnt(1, ...set)
  expect(one.result.steps.every((step) => step !== null && step.microBatches.length > 2)).toBe(true)
  for (const devices of cases([2, 3], [3])) {
    const several = learnt(devices, ...set)
    expect(several.used).toEqual(Array.from({ length: devices }, (_, place) => place))
    expect(several.result).toEqual(one.result)
  }
})
