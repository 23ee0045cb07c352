import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { TestScheduler } from 'rxjs/testing'
import { afterAll, describe, expect, it } from 'vitest'
import type { Content, Feedback } from '../../src/events/types.js'
import { loadTextModel } from '../../src/model/text/text-model.js'
import { tokenise } from '../../src/streams/tokenise.js'

const dir = mkdtempSync(join(tmpdir(), 'bcod-tokenise-'))
afterAll(() => rmSync(dir, { recursive: true }))

const text = loadTextModel('tests/golden/chat')!
const tokens = (...ids: number[]): Content => ({ kind: 'tokens', tokens: ids })
const vote = (prompt: Content, completion: Content, label: boolean | null = true): Feedback => ({
  position: { topic: 'votes', partition: 4, offset: 9 },
  timestamp: 1_700_000_000_000,
  source: 's',
  id: 'e',
  subject: 'c',
  user: null,
  label,
  prompt,
  completion,
  adapter: null,
  logprob: null,
  weight: 1,
})
const VOTES = {
  i: vote(tokens(1, 5), tokens(6)),
  w: vote({ kind: 'text', text: 'plain text prompt: ' }, { kind: 'text', text: 'Click the link.' }),
  l: vote(tokens(1), tokens(...Array(20).fill(3))),
  r: vote(tokens(), tokens(), null),
  v: vote(tokens(1), tokens(5000)),
}

describe('tokenise', () => {
  it('emits token ids, drops what is too long or retracts, rejects what cannot be tokenised, and goes on', () => {
    const rejected: unknown[] = []
    const dropped: unknown[] = []
    new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ hot, expectObservable }) => {
      const source = '  i-l-r-v-w|'
      const expected = 'i-------w|'
      const events$ = hot(source, VOTES).pipe(
        tokenise(
          { text, maxLength: 20, vocabSize: 1000 },
          (record, error, stage) => rejected.push({ record, line: error.line, stage }),
          (feedback, reason) => dropped.push([feedback, reason]),
        ),
      )
      expectObservable(events$).toBe(expected, {
        i: expect.objectContaining({ promptTokens: [1, 5], completionTokens: [6], label: true }),
        w: expect.objectContaining({
          promptTokens: [483, 346, 259, 606, 86, 595, 28, 223],
          completionTokens: [37, 610, 77, 274, 284, 262, 77, 16, 2],
        }),
      })
    })
    expect(dropped).toEqual([
      [VOTES.l, 'completion_too_long'],
      [VOTES.r, 'retraction'],
    ])
    expect(rejected).toMatchObject([
      {
        line: 'FEEDBACK_INVALID data.completion_tokens[0]: a token id is outside the vocabulary of 1000',
        stage: 'tokenise',
      },
    ])
  })

  it('writes the dead letter of a held-back vote anew, at its own position', () => {
    const letters: { topic: string; partition: number; offset: number; value: unknown; key: string }[] = []
    cpSync('tests/golden/chat', dir, { recursive: true })
    writeFileSync(join(dir, 'chat_template.jinja'), '{{ raise_exception("no system role") }}')
    const strict = loadTextModel(dir)
    new TestScheduler(() => {}).run(({ hot }) => {
      const prompt: Content = { kind: 'messages', messages: [{ role: 'system', content: 'Hi' }] }
      hot('a|', { a: vote(prompt, tokens(3)) })
        .pipe(
          tokenise(
            { text: strict, maxLength: 20, vocabSize: 1000 },
            ({ topic, partition, offset, value, key }, error) => {
              expect(error.line).toBe('CHAT_TEMPLATE_FAILED: the template refused the messages: no system role')
              letters.push({
                topic,
                partition,
                offset,
                key: Buffer.from(key!).toString(),
                value: JSON.parse(Buffer.from(value!).toString()),
              })
            },
            () => expect.unreachable(),
          ),
        )
        .subscribe()
    })
    expect(letters).toEqual([
      {
        topic: 'votes',
        partition: 4,
        offset: 9,
        key: 'c',
        value: {
          specversion: '1.0',
          type: 'bcod.feedback.v1',
          source: 's',
          id: 'e',
          subject: 'c',
          data: { prompt: [{ role: 'system', content: 'Hi' }], completion_tokens: [3], label: true },
        },
      },
    ])
  })
})
