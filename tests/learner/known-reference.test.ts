import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { loadConfig } from '../../src/config/config.js'
import { AffordableShapes } from '../../src/learner/affordable-shapes.js'
import { beginningShapes } from '../../src/learner/beginnings.js'
import { Learner } from '../../src/learner/learner.js'
import { ModelSession, type ModelSessionOptions } from '../../src/learner/model-session.js'
import { packEvents } from '../../src/learner/packed-events.js'
import type { TokenPair } from '../../src/learner/token-trees.js'
import { loraFromAdapter } from '../../src/model/lora.js'
import { seededRandom } from '../../src/model/random.js'
import { relativeDistance } from '../support/compare.js'
import { trainingEvent } from '../support/events.js'
import { loraOf } from '../support/lora.js'
import { ADAMW } from '../support/optimizer.js'

const LONGEST = 480
const adapter = readAdapter('tests/golden/tiny_adapter')
const lora = loraOf(adapter)

/** Few, since each takes time to compile. */
const shapes = [{ tokens: 1536, sequences: 8, rows: 4, length: LONGEST, longest: LONGEST }]
const { alone, behind } = beginningShapes(LONGEST, 8)
const beginnings = {
  alone: alone.slice(0, 1),
  behind: behind.filter(({ length, rows }) => length === 256 && rows > 1).slice(0, 1),
}
const opened: ModelSession[] = []
function open({ pinned, ...own }: { pinned: boolean } & Partial<ModelSessionOptions>): ModelSession {
  const session = new ModelSession({
    ...{ modelPath: 'tests/golden/tiny_llama', dtype: 'f32', executor: 'graph', lora, shapes, beta: 0.3 },
    ...{ optimizer: { ...ADAMW, weightDecay: 0, clipNorm: 0 }, gradientCheckpointing: false, purposes: [] },
    ...{ decoder: null, givenDecoder: null, referenceLora: null },
    ...{ beginnings, referenceCache: 1e9, ...own },
  })
  opened.push(session)
  if (!pinned) return session
  const values = loraFromAdapter(session.model.lora, lora, adapter, 'tiny_adapter')
  const again = new ModelSession({ ...session.options, referenceLora: values })
  opened.push(again)
  return again
}
afterAll(() => {
  for (const session of opened) session.dispose()
})

const random = seededRandom(7, 'known reference')
const draw = (length: number) => Array.from({ length }, () => Math.floor(random() * 64))
const [system, other] = [draw(300), draw(270)]
const after = (beginning: readonly number[], prompt: number, completion: number): TokenPair => ({
  promptTokens: [...beginning, ...draw(prompt)],
  completionTokens: draw(completion),
})
const events = [
  ...[after(system, 20, 9), after(other, 31, 4), after([], 90, 30), after(system, 1, 40), after(other, 12, 17)],
  ...[after(system, 70, 12), { ...after([], 0, 9), promptTokens: system }],
]

const reference = (session: ModelSession, some: readonly TokenPair[] = events) =>
  packEvents(session, new AffordableShapes(shapes), some).reference()

test.each([false, true])(
  'what continues a known beginning is what it is by itself; with a pinned reference %s',
  (pinned) => {
    const session = open({ pinned })
    const together = reference(session)
    expect(session.reference.counts).toMatchObject({ known: 0, computed: 2 })
    const apart = events.map((event) => reference(session, [event]))
    expect(
      relativeDistance(
        together.logps,
        apart.flatMap(({ logps }) => logps),
      ),
    ).toBeLessThan(2e-5)
    const flat = (embeddings: readonly Float64Array[]) => embeddings.flatMap((each) => [...each])
    const expected = flat(apart.flatMap(({ embeddings }) => embeddings))
    expect(relativeDistance(flat(together.embeddings), expected)).toBeLessThan(2e-5)

    // known now, and the same to the bit
    expect(reference(session)).toEqual(together)
    expect(session.reference.counts).toMatchObject({ known: 2, computed: 2 })
  },
)

test.each([
  ['f32', 'graph'],
  ['f32', 'xla'],
  ['bf16', 'graph'],
] as const)('whether a beginning was known changes no bit (%s, %s)', (dtype, executor) => {
  const warm = open({ pinned: false, dtype, executor })
  const none = open({ pinned: false, dtype, executor, referenceCache: 0 })
  reference(warm, [events[0]!, events[3]!, after(system, 8, 8)])
  expect(warm.reference.counts).toMatchObject({ known: 0, computed: 1 })
  const first = reference(warm)
  expect(warm.reference.counts).toMatchObject({ known: 1, computed: 2 })
  expect(reference(none)).toEqual(first)
  expect(reference(none)).toEqual(first)
  expect(none.reference.counts).toEqual({ known: 0, computed: 4, bytes: 0 })
})

test('a learner that goes on from a checkpoint, knowing no beginning, learns the same bits', () => {
  const model = mkdtempSync(join(tmpdir(), 'bcod-known-'))
  cpSync('tests/golden/tiny_llama', model, { recursive: true })
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'))
  writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: LONGEST }))
  const set = [`model.path=${model}`, `limits.maxLength=${LONGEST}`, 'batch.size=4', 'batch.tokens=480', 'lora.r=4']
  const start = () => new Learner(loadConfig({ env: {}, set: [...set, 'optimizer.lr=1e-2'] }))
  const step = (length: number) =>
    [1, 2, 3, 4].map((i) => trainingEvent(10 * length + i, { ...after(system, length, 5 * i), label: i % 2 === 0 }))
  const [one, two, three] = [step(3), step(7), step(20)]
  const [straight, other] = [start(), start()]
  for (const each of [one, two]) straight.trainStep(each)
  other.restore(straight.adapter(), straight.state())
  expect(straight.trainStep(three).beginnings).toMatchObject({ known: 1, computed: 0 })
  expect(other.trainStep(three).beginnings).toMatchObject({ known: 0, computed: 1 })
  expect(other.adapterSha256()).toBe(straight.adapterSha256())
  expect(other.state()).toEqual(straight.state())
  for (const each of [straight, other]) each.dispose()
  rmSync(model, { recursive: true })
})
