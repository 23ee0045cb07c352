import fc from 'fast-check'
import { lastValueFrom, map, of } from 'rxjs'
import { expect, test } from 'vitest'
import type { BcodError } from '../../src/errors.js'
import type { LogRecord } from '../../src/events/types.js'
import { decode } from '../../src/streams/decode.js'
import { deadLetterMessage } from '../../src/streams/kafka/dead-letter-message.js'
import { TextQueue } from '../../src/streams/text-queue.js'
import { tokenise } from '../../src/streams/tokenise.js'
import { validate } from '../../src/streams/validate.js'
import { DeadLettered } from '../../src/telemetry/events/feedback.js'
import { loadTextModel } from '../../src/text/text-model.js'
import { record } from '../events/records.js'
import { localText } from '../support/local-text.js'
import { runs } from '../support/thorough.js'
import { capture } from '../telemetry/capture.js'

const text = localText(loadTextModel('tests/golden/chat')!)
const MARK = 'xqz'
const NUMBER = 918_273

/** Values and names that nobody but the record can have said: every one holds a mark. */
const marked = fc.oneof(
  fc.string({ maxLength: 8 }).map((each) => `${MARK}${each}`),
  fc.constantFrom(
    MARK,
    `${MARK} \u001b[31m`,
    `"${MARK}"`,
    `{"${MARK}":1}`,
    `[{"role":"${MARK}"}]`,
    `<|im_end|>${MARK}`,
  ),
  fc.constantFrom(NUMBER, -NUMBER, NUMBER + 0.5, NUMBER * 1e6),
)
const right = fc.constantFrom<unknown>(
  ...[
    '1.0',
    'bcod.feedback.v1',
    'com.dapr.event.sent',
    'io.debezium.x',
    'user',
    'text',
    'c',
    'u',
    'd',
    'Hi',
    true,
    null,
  ],
  ...[[1, 2], [{ role: 'user', content: 'Hi' }]],
)
const name = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...['specversion', 'type', 'source', 'id', 'subject', 'data', 'data_base64', 'schema', 'payload'],
    ),
  },
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...['before', 'after', 'op', 'prompt', 'completion', 'prompt_tokens', 'completion_tokens', 'label'],
    ),
  },
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...['user', 'adapter', 'weight', 'logprob', 'role', 'content', 'text', 'tools', 'tool_calls', 'messages'],
    ),
  },
  {
    weight: 8,
    arbitrary: fc.constantFrom(
      ...[
        'finish_reason',
        'chat_template_kwargs',
        'reasoning_content',
        'name',
        'tool_call_id',
        'function',
        'arguments',
      ],
    ),
  },
  { weight: 4, arbitrary: fc.constant(`${MARK}key`) },
)
const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    marked,
    right,
    fc.array(tie('value'), { maxLength: 3 }),
    tie('object'),
    tie('event'),
    tie('message'),
  ),
  object: fc.dictionary(name, tie('value'), { maxKeys: 6 }),
  message: fc.record({ role: fc.constantFrom('user', 'assistant', 'tool', MARK), content: tie('value') }),
  event: fc
    .tuple(fc.dictionary(name, tie('value'), { maxKeys: 2 }), fc.dictionary(name, tie('value'), { maxKeys: 3 }))
    .map(([attributes, data]) => ({
      ...{ specversion: '1.0', type: 'bcod.feedback.v1', source: 's', id: 'i', ...(attributes as object) },
      data: { prompt: [{ role: 'user', content: 'Hi' }], completion: 'Yes.', label: true, ...(data as object) },
    })),
}))
const bytes = fc.oneof(
  { weight: 8, arbitrary: value.map((each) => Buffer.from(JSON.stringify(each))) },
  { weight: 1, arbitrary: value.map((each) => Buffer.from(`${JSON.stringify(each)} ${MARK}`)) },
  { weight: 1, arbitrary: value.map((each) => Buffer.from(JSON.stringify(each).replace(':', `:${MARK}`))) },
)
const headers = fc.dictionary(
  fc.constantFrom('ce_specversion', 'ce-id', 'ce_type', 'content-type', `ce_${MARK}`, MARK),
  fc.constantFrom('1.0', MARK, `"${MARK}"`, `application/cloudevents+${MARK}`, 'bcod.feedback.v1'),
  { maxKeys: 3 },
)
const key = fc.constantFrom(null, Buffer.from(MARK), Buffer.from([0xff]))

test('whatever a record holds, and wherever, none of it is in a message, a log line, a metric or a header of ours', async () => {
  const { telemetry, metrics, lines } = capture()
  const codes = new Set<string>()
  const reject = (letter: LogRecord, error: BcodError, stage: string) => {
    codes.add(error.code)
    telemetry.emit(new DeadLettered(letter, error.code, stage, error.line))
    const { headers } = deadLetterMessage({ record: letter, code: error.code, message: error.line, stage }, 1_000_000)
    const ours = Object.entries(headers).filter(([name]) => name.startsWith('bcod.'))
    for (const said of [error.line, error.message, error.remedy, JSON.stringify(ours), JSON.stringify(lines)]) {
      expect(said).not.toContain(MARK)
      expect(said).not.toContain(String(NUMBER))
    }
    lines.length = 0
  }
  const nothing = () => undefined
  await fc.assert(
    fc.asyncProperty(bytes, headers, key, async (bytes, headers, key) => {
      const event$ = of({ ...record(bytes, headers), key }).pipe(
        decode({ maxRecordBytes: 100_000, tombstones: 'retract' }, reject, nothing),
        validate({ vocabSize: 1000, text: text.description }, reject),
        map(({ feedback }) => feedback),
        tokenise(new TextQueue(), { text, maxLength: 200, vocabSize: 1000 }, reject, nothing),
      )
      await lastValueFrom(event$, { defaultValue: null })
    }),
    { numRuns: runs(4_000) },
  )
  expect(await metrics.text()).not.toContain(MARK)
  expect([...codes]).toEqual(expect.arrayContaining(['FEEDBACK_INVALID', 'FEEDBACK_NOT_JSON']))
})
