import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { PYTHON_VARIABLES, pythonEnvironment } from '../../bench/trl/environment.mjs'
import { scratchDirectory } from '../support/bcod.js'
import { imported } from './product.js'

const wanted = process.env.BCOD_TEST_PRODUCTS === '1'

const said = (role: string, content: string) => [{ role, content }]
const CHAT = [
  {
    prompt: said('user', 'Where is the lift?'),
    chosen: said('assistant', 'Behind you.'),
    rejected: said('assistant', 'What lift?'),
  },
  {
    prompt: said('user', 'Open today?'),
    chosen: said('assistant', 'Until six.'),
    rejected: said('assistant', 'No idea.'),
  },
]
const TEXT = [{ prompt: 'Ätsch, 2+2=', chosen: ' 4', rejected: ' 5' }]
const VOTES: Readonly<Record<string, unknown[]>> = {
  chat: [
    [true, null, ['user: Where is the lift?'], 'Behind you.', null],
    [false, null, ['user: Where is the lift?'], 'What lift?', null],
    [true, null, ['user: Open today?'], 'Until six.', null],
    [false, null, ['user: Open today?'], 'No idea.', null],
  ],
  text: [
    [true, null, 'Ätsch, 2+2=', ' 4', null],
    [false, null, 'Ätsch, 2+2=', ' 5', null],
  ],
}

/** An answer that is one message of the assistant, which unpaired rows keep as it is, as the text that pairs give. */
const answered = (vote: unknown): unknown => {
  const [label, user, prompt, answer, adapter] = vote as readonly unknown[]
  const text = Array.isArray(answer) && answer.length === 1 ? String(answer[0]).replace(/^assistant: /, '') : answer
  return [label, user, prompt, text, adapter]
}

describe.runIf(wanted)('rows that TRL and datasets wrote', () => {
  test('pairs, and the unpaired rows that TRL makes of them, are the same votes, once', {
    timeout: 300_000,
  }, async () => {
    const folder = scratchDirectory()
    const rows = JSON.stringify({ chat: CHAT, text: TEXT })
    execFileSync(pythonEnvironment(), [join(import.meta.dirname, 'trl_rows.py'), folder, rows], {
      stdio: 'pipe',
      env: { ...process.env, ...PYTHON_VARIABLES },
    })
    for (const [kind, votes] of Object.entries(VOTES)) {
      for (const [format, written] of [
        ['preference', 'pairs'],
        ['trl-unpaired', 'rows'],
      ] as const) {
        const state = ['--state', join(folder, `${kind}-${written}.state`), '--complete']
        const from = (ending: string) => ['--file', join(folder, `${kind}-${written}.${ending}`)]
        const first = await imported(format, ...from('jsonl'), ...state)
        const read = first.votes.map(answered)
        expect(read).toHaveLength(votes.length)
        expect(read, format).toEqual(expect.arrayContaining(votes))
        expect((await imported(format, ...from('parquet'))).votes).toEqual(first.votes)
        const again = { events: 0, retracted: 0, skipped_by_reason: { unchanged: votes.length } }
        for (const ending of ['jsonl', 'parquet']) {
          const { report } = await imported(format, ...from(ending), ...state)
          expect(report, `${format}, ${ending}`).toMatchObject(again)
        }
      }
    }
  })
})
