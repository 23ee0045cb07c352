import { expect, test } from 'vitest'
import type { JournalLine } from '../../src/checkpoint/journal.js'
import { loadConfig } from '../../src/config/config.js'
import { StepRecorder } from '../../src/training/step-recorder.js'
import { appliedStep } from '../support/applied-step.js'
import { trainingEvent } from '../support/events.js'

const RESOLVED = {
  executor: 'graph',
  dtype: 'f32',
  threads: 2,
  interOpThreads: 2,
  kernels: 'onednn',
  layers: 'a form',
  device: 'cpu',
} as const
const events = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => trainingEvent(from + i, { promptTokens: [1], completionTokens: [2, 3] }))
const offsets = (of: readonly { readonly position: { readonly offset: number } }[]) => of.map((e) => e.position.offset)

function recorder(...set: string[]) {
  const lines: JournalLine[] = []
  const config = loadConfig({ env: {}, set: ['model.path=/models/tiny', ...set] })
  const made = new StepRecorder({ journal: { append: (line) => lines.push(line) }, config, resolved: RESOLVED })
  return { recorder: made, lines, config }
}

const nothing = { quarantined: [], refused: [], blockLimit: null, beginnings: null }

test('an applied step is one line with its events in order; the first line has the settings of the process', () => {
  const { recorder: made, lines } = recorder('lora.r=8')
  const first = made.record(events(0, 2), { ...nothing, applied: appliedStep(1, [1, 0]) })
  made.record(events(2, 1), { ...nothing, applied: appliedStep(2, [0]) })
  expect(offsets(first.trained)).toEqual([1, 0])
  expect(lines.map(({ step, events: all }) => [step, all.map(({ offset }) => offset)])).toEqual([
    [1, [1, 0]],
    [2, [2]],
  ])
  expect(lines[0]?.settings).toMatchObject({
    ...{ modelPath: '/models/tiny', resolved: RESOLVED },
    config: { lora: { r: 8 } },
  })
  expect(lines[1]?.settings).toBeUndefined()
})

test('quarantined events have their reasons; the journal names them with the next step that is applied', () => {
  const { recorder: made, lines } = recorder()
  const none = made.record(events(0, 2), { ...nothing, applied: null, quarantined: [1], refused: [0] })
  expect(none.quarantined.map(({ event, error }) => [event.position.offset, error.code])).toEqual([
    [1, 'TRAIN_NONFINITE'],
    [0, 'TRAIN_OUT_OF_MEMORY'],
  ])
  expect([none.applied, none.trained, lines]).toEqual([null, [], []])
  made.record(events(2, 2), { ...nothing, applied: appliedStep(1, [0]), quarantined: [1] })
  made.record(events(4, 1), { ...nothing, applied: appliedStep(2, [0]) })
  expect(lines.map(({ quarantined }) => quarantined.map(({ offset }) => offset))).toEqual([[1, 0, 3], []])
})

test('a block limit is new once, and is in every line from then on', () => {
  const { recorder: made, lines } = recorder()
  const limits = [null, 256, 256, 128].map(
    (blockLimit, i) =>
      made.record(events(i, 1), { ...nothing, blockLimit, applied: appliedStep(i + 1, [0]) }).newBlockLimit,
  )
  expect(limits).toEqual([null, 256, null, 128])
  expect(lines.map(({ blockLimit }) => blockLimit)).toEqual([undefined, 256, 256, 128])
})

test('token ids are in the journal as journal.keepEvents says', () => {
  const { recorder: kept, lines } = recorder('journal.keepEvents=true')
  const { recorder: without, lines: bare } = recorder('journal.keepEvents=false')
  for (const made of [kept, without]) made.record(events(0, 1), { ...nothing, applied: appliedStep(1, [0]) })
  expect(lines[0]?.events[0]).toMatchObject({ prompt_tokens: [1], completion_tokens: [2, 3] })
  expect(bare[0]?.events[0]).not.toHaveProperty('prompt_tokens')
})
