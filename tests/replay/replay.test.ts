import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { adapterSha256 } from '../../src/adapters/weights/adapter.js'
import type { JournalLine } from '../../src/checkpoint/journal.js'
import type { StateTensor } from '../../src/checkpoint/snapshot.js'
import { loadConfig } from '../../src/config/config.js'
import type { TrainingEvent } from '../../src/events/types.js'
import type { Learner, StepOutcome } from '../../src/learner/learner.js'
import { replayFile } from '../../src/replay/replay.js'
import { verifyLineage } from '../../src/replay/verify.js'
import { appliedStep } from '../support/applied-step.js'
import { jsonl, linesOf, scratchDirectory } from '../support/bcod.js'
import { sampleAdapter } from '../support/checkpoints.js'

const MODEL = 'tests/golden/tiny_llama'
/** An event whose prompt begins with it has a log-probability that is not finite. */
const SPOILT = 13

/** A learner whose adapter is a number that follows from every token in the order in which it trained. */
class SummingLearner {
  readonly resolved = { executor: 'graph', dtype: 'f32', threads: 1, layers: 'none' }
  readonly limits: (number | null)[] = []
  step = 0
  #sum = 1

  trainStep(events: readonly TrainingEvent[]): StepOutcome {
    const indexes = [...events.keys()]
    const isSpoilt = (index: number) => events[index]?.promptTokens[0] === SPOILT
    const trained = indexes.filter((index) => !isSpoilt(index))
    const outcome = {
      ...{ quarantined: indexes.filter(isSpoilt), refused: [], beginnings: null },
      blockLimit: this.step > 1 ? 64 : null,
    }
    if (trained.length === 0) return { ...outcome, applied: null }
    this.step += 1
    for (const index of trained)
      for (const token of events[index]?.promptTokens ?? []) this.#sum = (this.#sum * 31 + token) % 65_521
    return { ...outcome, applied: { ...appliedStep(this.step, trained), adapterSha256: this.adapterSha256() } }
  }

  adapter = () => sampleAdapter(this.#sum)
  adapterSha256 = () => adapterSha256(this.adapter().tensors)
  state = (): ReadonlyMap<string, StateTensor> =>
    new Map([['count', { dtype: 'i32', shape: [2], data: Int32Array.of(this.step, this.#sum) }]])
  restore(_: unknown, state: ReadonlyMap<string, StateTensor>): { classifierKept: boolean } {
    const [step, sum] = state.get('count')?.data ?? []
    this.step = Number(step)
    this.#sum = Number(sum)
    return { classifierKept: true }
  }
  limitBlocks = (limit: number | null) => this.limits.push(limit)
  dispose = () => undefined
}

const opened = (learner: SummingLearner) => async () => learner as unknown as Learner

const rows = (count: number) =>
  Array.from({ length: count }, (_, i) => ({
    prompt_tokens: [i === 3 ? SPOILT : i % 12, 5],
    completion_tokens: [7],
    label: i % 2 === 0,
  }))

async function replayed(...set: string[]) {
  const out = join(scratchDirectory(), 'out')
  const path = jsonl(scratchDirectory(), 'rows.jsonl', rows(10))
  const all = [`model.path=${MODEL}`, 'batch.size=4', 'batch.stratify=false', 'stream.holdBack=0', ...set]
  const config = loadConfig({ env: {}, set: [...all, 'limits.userShare=0', 'limits.promptRepeats=0'] })
  const learner = new SummingLearner()
  const summary = await replayFile({
    ...{ config, modelPath: MODEL, out, openLearner: opened(learner) },
    events: { path, text: null, vocabSize: 256, maxLength: 32 },
  })
  const lineage = join(out, 'checkpoint')
  const lines = linesOf(readFileSync(join(lineage, 'journal.jsonl'), 'utf8')) as unknown as JournalLine[]
  return { out, lineage, lines, summary, learner }
}

test('a file becomes steps of batch.size with a journal; what is quarantined is named with its step', async () => {
  const { out, lines, summary, learner } = await replayed()
  expect(summary).toMatchObject({ events: 10, trained: 9, steps: 3, quarantined: 1 })
  expect(summary.adapter_sha256).toBe(learner.adapterSha256())
  expect(lines.map(({ step, events }) => [step, events.map(({ offset }) => offset)])).toEqual([
    [1, [1, 2, 3]],
    [2, [5, 6, 7, 8]],
    [3, [9, 10]],
  ])
  expect(lines.map(({ quarantined }) => quarantined.map(({ offset }) => offset))).toEqual([[4], [], []])
  expect(lines.map(({ blockLimit }) => blockLimit)).toEqual([undefined, undefined, 64])
  expect(linesOf(readFileSync(join(out, 'steps.jsonl'), 'utf8')).map(({ events }) => events)).toEqual([3, 4, 2])
})

test('the lineage of a replay, followed again, arrives at the same hash, with the same limits of blocks', async () => {
  const { lineage, summary } = await replayed('journal.keepEvents=true')
  const learner = new SummingLearner()
  const settings: unknown[] = []
  const again = await verifyLineage({
    lineage,
    out: join(scratchDirectory(), 'again'),
    openLearner: async (given) => {
      settings.push(given)
      return learner as unknown as Learner
    },
  })
  expect(again).toMatchObject({ steps: 3, events: 9, adapter_sha256: summary.adapter_sha256 })
  expect(learner.limits).toEqual([null, null, 64])
  // once: the first line of the journal says what the first checkpoint says
  expect(settings).toHaveLength(1)
})

test('a learner that learns something else is found at its first step, and nothing is left behind', async () => {
  const { lineage } = await replayed('journal.keepEvents=true')
  const out = join(scratchDirectory(), 'again')
  const other = new SummingLearner()
  const train = other.trainStep.bind(other)
  other.trainStep = (events) => train([...events].reverse())
  await expect(verifyLineage({ lineage, out, openLearner: opened(other) })).rejects.toMatchObject({
    code: 'LINEAGE_DIVERGED',
    place: `${lineage} step 1`,
  })
  expect(existsSync(out)).toBe(false)
})
