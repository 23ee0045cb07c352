import { join } from 'node:path'
import { expect, test } from 'vitest'
import { journalPath } from '../../src/checkpoint/journal.js'
import { readJournal } from '../../src/checkpoint/journal-reader.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { bcod, documentOf, jsonl, scratchDirectory } from '../support/bcod.js'
import { GOLDEN_RUN, goldenFeedback } from './golden.js'

/** Long events for the tiny Llama, which takes 64 tokens: four fill a batch. */
const EVENTS = Array.from({ length: 32 }, (_, i) => {
  const tokens = (count: number, times: number) =>
    Array.from({ length: count }, (_, k) => 3 + ((i * 13 + k * times) % 250))
  return { prompt_tokens: tokens(36, 7), completion_tokens: tokens(20, 11), label: i % 3 > 0 }
})

test('a line that three places wrote is followed on one, bit by bit', async () => {
  const directory = scratchDirectory()
  const events = jsonl(directory, 'events.jsonl', EVENTS)
  const out = join(directory, 'out')
  const devices = ['--set', 'devices=CPU:0,CPU:1,CPU:2', '--set', 'batch.tokens=128', '--set', 'batch.size=16']
  const run = ['replay', '--events', events, '--out', out, '--model', 'tests/golden/tiny_llama', '--json']
  const written = await bcod(...run, ...devices)
  expect(written.code, written.stderr).toBe(0)
  expect(written.stderr).not.toContain('other bits')
  // so that every place had something to do
  const { snapshot } = (await new CheckpointStore(join(out, 'checkpoint')).latest())!
  const batches: number[] = []
  for await (const line of readJournal(journalPath(join(out, 'checkpoint')), snapshot.journal.bytes))
    batches.push(line.microBatches.length)
  expect(Math.max(...batches)).toBeGreaterThan(2)

  const followed = await bcod(
    'replay',
    '--lineage',
    join(out, 'checkpoint'),
    '--out',
    join(directory, 'on-one'),
    '--json',
  )
  expect(followed.code, followed.stderr).toBe(0)
  expect(documentOf(followed)).toMatchObject({ steps: 2, adapter_sha256: documentOf(written).adapter_sha256 })
})

test('a device that is not there is named, with what there is', async () => {
  const directory = scratchDirectory()
  const events = jsonl(directory, 'events.jsonl', goldenFeedback())
  const run = ['replay', '--events', events, '--out', join(directory, 'out'), ...GOLDEN_RUN]
  const { code, stderr } = await bcod(...run, '--set', 'devices=GPU:7')
  expect(code).toBe(1)
  expect(stderr).toMatch(/^DEVICE_MISSING devices: GPU:7: there is /m)
  expect(stderr).toContain('bcod doctor')
})
