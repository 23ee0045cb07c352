import { existsSync, mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { adapterSha256 } from '../../src/adapters/weights/adapter.js'
import { readAdapter } from '../../src/adapters/weights/peft.js'
import { journalPath } from '../../src/checkpoint/journal.js'
import { readJournal } from '../../src/checkpoint/journal-reader.js'
import { CheckpointStore } from '../../src/checkpoint/store.js'
import { openSafetensors } from '../../src/safetensors/reader.js'
import { bcod, documentOf, jsonl, linesOf, scratchDirectory } from '../support/bcod.js'
import { relativeDistance } from '../support/compare.js'
import { FEW_SHAPES, GOLDEN_RUN, golden, goldenFeedback } from './golden.js'

const STEP_FIELDS = [
  ...['step', 'events', 'up', 'down', 'tokens', 'loss', 'delta', 'reward_up_mean', 'reward_down_mean'],
  ...['weight_mean', 'ess_ratio', 'grad_norm', 'lr', 'ms'],
]

describe('bcod replay over the golden run', () => {
  test("lands on TRL's adapter, losses and δ, and leaves a chain of checkpoints that can be followed", async () => {
    const directory = scratchDirectory()
    const out = join(directory, 'out')
    const events = jsonl(directory, 'events.jsonl', goldenFeedback())
    const ended = await bcod('replay', '--events', events, '--out', out, ...GOLDEN_RUN, '--json')
    expect(ended.code, ended.stderr).toBe(0)
    expect(ended.stdout.trimEnd().split('\n')).toHaveLength(1)

    const steps = linesOf(readFileSync(join(out, 'steps.jsonl'), 'utf8')) as { [field: string]: number }[]
    expect(steps).toHaveLength(golden.f64.train.length)
    golden.f64.train.forEach((expected, i) => {
      const step = steps[i]!
      expect(Object.keys(step)).toEqual(STEP_FIELDS)
      expect(step).toMatchObject({ step: i + 1, events: 4 })
      expect(Math.abs(step.loss! / expected.loss - 1)).toBeLessThan(1e-5)
      expect(Math.abs(step.delta! - expected.delta)).toBeLessThan(1e-5 * Math.max(1, Math.abs(expected.delta)))
      expect(Math.abs(step.grad_norm! / expected.grad_norm - 1)).toBeLessThan(1e-5)
    })

    const adapter = readAdapter(join(out, 'adapter'))
    const trained = openSafetensors('tests/golden/tiny_trained_f64.safetensors')
    expect([...adapter.tensors.keys()].sort()).toEqual([...trained.names].sort())
    for (const name of trained.names)
      expect(relativeDistance(adapter.tensors.get(name)!.data, trained.floats(name)), name).toBeLessThan(1e-5)
    trained.close()

    const sha256 = adapterSha256(adapter.tensors)
    expect(documentOf(ended)).toMatchObject({
      events: 40,
      trained: 40,
      steps: 10,
      dropped: 0,
      quarantined: 0,
      loss_last: steps.at(-1)!.loss,
      adapter_sha256: sha256,
    })

    const checkpoints = join(out, 'checkpoint')
    const store = new CheckpointStore(checkpoints)
    expect((await store.list()).map(({ name }) => name)).toEqual(['step-00000000', 'step-00000010'])
    const initial = (await store.load('step-00000000')).snapshot
    expect(adapterSha256(initial.adapter.tensors)).toBe(adapterSha256(readAdapter('tests/golden/tiny_adapter').tensors))
    const { snapshot } = (await store.latest())!
    expect(snapshot).toMatchObject({ topic: 'events.jsonl', positions: { 0: 41 } })
    expect(adapterSha256(snapshot.adapter.tensors)).toBe(sha256)
    expect(snapshot.trainerState.get('delta.mean')!.data[0]).toBeCloseTo(golden.f64.train[9]!.running_after.mean, 6)
    expect(statSync(checkpoints).mode & 0o777).toBe(0o700)

    const rows = goldenFeedback() as { prompt_tokens: number[]; completion_tokens: number[] }[]
    const journal = []
    for await (const line of readJournal(journalPath(checkpoints), snapshot.journal.bytes)) journal.push(line)
    expect(journal.map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])
    expect(journal.flatMap((line) => line.events).map(({ offset }) => offset)).toEqual(rows.map((_, i) => i + 1))
    expect(journal[0]!.events[1]).toMatchObject({
      prompt_tokens: rows[1]!.prompt_tokens,
      completion_tokens: rows[1]!.completion_tokens,
    })
    expect(journal.at(-1)!.adapter_sha256).toBe(sha256)
    expect(readdirSync(out).sort()).toEqual(['adapter', 'checkpoint', 'steps.jsonl'])

    const followed = await bcod('replay', '--lineage', checkpoints, '--out', join(directory, 'again'), '--json')
    expect(followed.code, followed.stderr).toBe(0)
    expect(documentOf(followed)).toMatchObject({ steps: 10, events: 40, adapter_sha256: sha256 })
  })
})

test('a lineage is followed as it began: with other kernels and threads its bytes would be others', async () => {
  const directory = scratchDirectory()
  const events = jsonl(directory, 'events.jsonl', goldenFeedback())
  const shaOf = async (name: string, ...settings: readonly string[]) => {
    const set = settings.flatMap((value) => ['--set', value])
    const ended = await bcod(
      'replay',
      '--events',
      events,
      '--out',
      join(directory, name),
      ...GOLDEN_RUN,
      ...set,
      '--json',
    )
    expect(ended.code, ended.stderr).toBe(0)
    return documentOf(ended).adapter_sha256
  }
  const eigen = await shaOf('eigen', 'model.kernels=eigen', 'model.threads=1', 'model.interOpThreads=2')
  expect(eigen).not.toBe(await shaOf('onednn', 'model.kernels=onednn', 'model.threads=1', 'model.interOpThreads=2'))

  const checkpoints = join(directory, 'eigen', 'checkpoint')
  const { resolved } = (await new CheckpointStore(checkpoints).latest())!.snapshot
  expect(resolved).toMatchObject({ executor: 'graph', kernels: 'eigen', threads: 1, interOpThreads: 2 })
  const followed = await bcod('replay', '--lineage', checkpoints, '--out', join(directory, 'again'), '--json')
  expect(followed.code, followed.stderr).toBe(0)
  expect(documentOf(followed).adapter_sha256).toBe(eigen)
})

const TINY = ['--model', 'src/demo/model', '--set', 'batch.size=4', ...FEW_SHAPES]
const replay = (directory: string, rows: readonly unknown[], ...args: readonly string[]) =>
  bcod(
    ...['replay', '--events', jsonl(directory, 'votes.jsonl', rows), '--out', join(directory, 'out'), '--json'],
    ...TINY,
    ...args,
  )

const vote = (id: string, label: boolean | null, data: object = {}) => ({
  specversion: '1.0',
  type: 'bcod.feedback.v1',
  source: 'chat',
  id,
  subject: `answer-${id}`,
  data: {
    prompt: [{ role: 'user', content: 'Where is my parcel?' }],
    completion: [{ role: 'assistant', content: 'It is on its way.' }],
    label,
    ...data,
  },
})

describe('bcod replay', () => {
  test('trains on texts and messages in file order and counts what it drops, by reason', async () => {
    const directory = scratchDirectory()
    const rows = [
      vote('a', true),
      vote('b', false, { prompt: 'Where is my parcel?', completion: 'No idea.' }),
      vote('a', true),
      '',
      vote('c', null),
      vote('d', false, { completion_tokens: Array.from({ length: 200 }, () => 40) }),
      { prompt: 'Reset my password.', completion: 'Done.', label: true },
      vote('e', false),
      vote('f', true),
    ]
    const ended = await replay(directory, rows)
    expect(ended.code, ended.stderr).toBe(0)
    expect(documentOf(ended)).toMatchObject({
      events: 8,
      trained: 5,
      steps: 2,
      dropped: 3,
      dropped_by_reason: { duplicate: 1, retraction: 1, completion_too_long: 1 },
    })
    const steps = linesOf(readFileSync(join(directory, 'out', 'steps.jsonl'), 'utf8'))
    expect(steps.map(({ events, up, down }) => [events, up, down])).toEqual([
      [4, 2, 2],
      [1, 1, 0],
    ])
    expect(steps[1]).toMatchObject({ reward_down_mean: null, weight_mean: null })
  })

  test('ends at a bad row with its code, file and line, and leaves nothing behind', async () => {
    const directory = scratchDirectory()
    const rows = [vote('a', true), vote('b', false), vote('c', true, { label: 'yes' })]
    const ended = await replay(directory, rows)
    expect(ended.code).toBe(1)
    expect(ended.stdout).toBe('')
    expect(ended.stderr).toMatch(
      /^FEEDBACK_INVALID .*votes\.jsonl:3 data\.label: expected boolean or null, got a string of 3 characters$/m,
    )
    expect(ended.stderr).toMatch(/^ {2}-> \S/m)
    expect(existsSync(join(directory, 'out'))).toBe(false)
  })

  test('ends at a row that only the tokenizer can refuse, with its line, and leaves an empty directory empty', async () => {
    const directory = scratchDirectory()
    mkdirSync(join(directory, 'out'))
    const rows = [
      { prompt_tokens: [1, 5], completion_tokens: [7, 2], label: true },
      '',
      { prompt: 'a', completion: 'b', label: true },
    ]
    const ended = await replay(directory, rows, '--model', 'tests/golden/tiny_llama')
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^TEXT_WITHOUT_TOKENIZER .*votes\.jsonl:3: /m)
    expect(readdirSync(join(directory, 'out'))).toEqual([])
  })

  test('names every row that cannot be used at once, lists all beside the output, and skips them if asked', async () => {
    const directory = scratchDirectory()
    const rows = [
      { prompt_tokens: [1, 5], completion_tokens: [7, 2], label: true },
      ...Array.from({ length: 22 }, () => '{"secret'),
      { prompt: 'secret', completion: 'b', label: true },
      { prompt_tokens: [1, 5], completion_tokens: [7, 2], label: 'secret' },
      { prompt_tokens: [1, 5], completion_tokens: [8, 2], label: false },
    ]
    const model = ['--model', 'tests/golden/tiny_llama']
    const refused = await replay(directory, rows, ...model)
    expect(refused.code).toBe(1)
    expect(existsSync(join(directory, 'out'))).toBe(false)
    expect(refused.stderr.match(/^FEEDBACK_NOT_JSON .*votes\.jsonl:\d+/gm)).toHaveLength(20)
    expect(refused.stderr).toContain('… and 4 more')
    const list = `${join(directory, 'out')}.invalid.jsonl`
    expect(refused.stderr).toContain(`--skip-invalid leaves such rows out. ${list} lists all 24.`)
    const listed = linesOf(readFileSync(list, 'utf8'))
    expect(listed.map(({ line }) => line)).toEqual(Array.from({ length: 24 }, (_, i) => i + 2))
    expect(listed.slice(-2)).toMatchObject([
      { code: 'TEXT_WITHOUT_TOKENIZER', place: expect.stringMatching(/votes\.jsonl:24/) },
      { code: 'FEEDBACK_INVALID', reason: 'expected boolean or null, got a string of 6 characters' },
    ])
    expect(refused.stderr + readFileSync(list, 'utf8')).not.toContain('secret')

    const skipped = await replay(directory, rows, ...model, '--skip-invalid')
    expect(skipped.code, skipped.stderr).toBe(0)
    expect(skipped.stderr).toContain('24 rows are left out')
    expect(documentOf(skipped)).toMatchObject({ events: 26, skipped_invalid: 24, trained: 2 })
  })

  test('nothing runs if no row is left', async () => {
    const directory = scratchDirectory()
    const ended = await replay(directory, ['{', '['], '--skip-invalid')
    expect(ended.code).toBe(1)
    expect(ended.stderr).toContain('No row is left without them.')
    expect(existsSync(join(directory, 'out'))).toBe(false)
  })

  test('writes into no directory that holds something', async () => {
    const directory = scratchDirectory()
    mkdirSync(join(directory, 'out', 'mine'), { recursive: true })
    const ended = await replay(directory, [vote('a', true)])
    expect(ended.code).toBe(1)
    expect(ended.stderr).toMatch(/^OUTPUT_NOT_EMPTY /m)
    expect(readdirSync(join(directory, 'out'))).toEqual(['mine'])
  })
})
