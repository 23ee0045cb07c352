import { of, tap } from 'rxjs'
import { TestScheduler } from 'rxjs/testing'
import { describe, expect, it } from 'vitest'
import type { LogRecord } from '../../src/events/types.js'
import { decode } from '../../src/streams/decode.js'
import { type ValidationLimits, validate } from '../../src/streams/validate.js'
import { describeText } from '../../src/text/text-calls.js'
import { loadTextModel } from '../../src/text/text-model.js'
import { cloudEvent, record } from '../events/records.js'

const MESSAGES = [{ role: 'user', content: 'Hi' }]
const RECORDS = {
  i: record(cloudEvent({ prompt_tokens: [1, 2], completion_tokens: [3] })),
  t: record(cloudEvent()),
  m: record(cloudEvent({ prompt: MESSAGES })),
  y: record(cloudEvent({ label: 'yes' })),
  v: record(cloudEvent({ prompt_tokens: [1, 256], completion_tokens: [3] })),
  r: record(cloudEvent({ label: null })),
}

function run(limits: ValidationLimits, source: string, expected: string) {
  const rejected: { record: LogRecord; line: string; stage: string }[] = []
  const emitted: LogRecord[] = []
  new TestScheduler((actual, wanted) => expect(actual).toEqual(wanted)).run(({ hot, expectObservable }) => {
    const validated$ = hot(source, RECORDS).pipe(
      decode(
        { maxRecordBytes: 1000 },
        () => expect.unreachable(),
        () => expect.unreachable(),
      ),
      validate(limits, (letter, error, stage) => rejected.push({ record: letter, line: error.line, stage })),
      tap(({ record: travelling }) => emitted.push(travelling)),
    )
    const shape = (label: boolean | null) => ({
      record: expect.anything(),
      feedback: expect.objectContaining({ label }),
    })
    expectObservable(validated$).toBe(expected, { i: shape(true), t: shape(true), m: shape(true), r: shape(null) })
  })
  return { rejected, emitted }
}

describe('validate', () => {
  const text = describeText(loadTextModel('tests/golden/chat')!)

  it('emits record and vote, and rejects the record unchanged where a field is wrong', () => {
    const source = '  i-y-t-v-m-r|'
    const expected = 'i---t---m-r|'
    const { rejected, emitted } = run({ vocabSize: 256, text }, source, expected)
    expect(emitted[0]).toBe(RECORDS.i)
    expect(rejected).toEqual([
      {
        record: RECORDS.y,
        line: 'FEEDBACK_INVALID data.label: expected boolean or null, got a string of 3 characters',
        stage: 'validate',
      },
      {
        record: RECORDS.v,
        line: 'FEEDBACK_INVALID data.prompt_tokens[1]: a token id is outside the vocabulary of 256',
        stage: 'validate',
      },
    ])
    expect(rejected[0]!.record).toBe(RECORDS.y)
  })

  it('rejects text at once where the model has no tokenizer', () => {
    const source = '  i-t-m-r|'
    const expected = 'i-----r|'
    const { rejected } = run({ vocabSize: 256, text: null }, source, expected)
    expect(new Set(rejected.map(({ line }) => line))).toEqual(
      new Set(['TEXT_WITHOUT_TOKENIZER: text, but the model has no tokenizer']),
    )
  })
})

describe('no record ends the stream', () => {
  const nest = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
  const chat = (fields: string, prompt = '') =>
    record(
      Buffer.from(
        `{"label":true,"prompt":[{"role":"user","content":"x"}]${prompt},` +
          `"completion":[{"role":"assistant","content":null,${fields}}]}`,
      ),
    )
  const DEEP = nest(20_000)
  const CALLS = '"tool_calls":[{"function":{"name":"f","arguments":{}}}]'

  it.each([
    ['function_call', chat(`"function_call":{"name":"f","arguments":${DEEP}}`)],
    ['function_call, as text', chat(`"function_call":{"name":"f","arguments":${JSON.stringify(DEEP)}}`)],
    ['tool_calls', chat(`"tool_calls":[{"function":{"name":"f","arguments":${DEEP}}}]`)],
    ['tool_calls, as text', chat(`"tool_calls":[{"function":{"name":"f","arguments":${JSON.stringify(DEEP)}}}]`)],
    ['tools', chat(CALLS, `,"tools":[${DEEP}]`)],
    ['chat_template_kwargs', chat(CALLS, `,"chat_template_kwargs":${DEEP}`)],
    ['reasoning', chat(`${CALLS},"reasoning":${DEEP}`)],
    ['user', chat(CALLS, `,"user":${DEEP}`)],
  ])('whose %s nests 20,000 levels: it is a dead letter', (_, deep) => {
    const ends: string[] = []
    const text = { ...describeText(loadTextModel('tests/golden/chat')!), hasTemplate: true }
    of(deep, record(cloudEvent()))
      .pipe(
        decode(
          { maxRecordBytes: 2 ** 20 },
          () => expect.unreachable(),
          () => expect.unreachable(),
        ),
        validate({ vocabSize: 256, text }, (_letter, { code }) => ends.push(code)),
      )
      .subscribe({ next: () => ends.push('vote'), error: (error: unknown) => ends.push(String(error)) })
    expect(ends).toEqual(['FEEDBACK_INVALID', 'vote'])
  })
})
