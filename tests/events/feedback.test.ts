import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { cloudEvent, errorLine, record } from './records.js'

function read(value: unknown, vocabSize: number | null = null) {
  const source = record(value)
  return toFeedback(decodeEnvelope(source.value!, source.headers, 2 ** 20), source, { vocabSize })
}

describe('toFeedback', () => {
  it('reads every field of a canonical event', () => {
    const event = cloudEvent(
      {
        prompt: [{ role: 'user', content: 'Hi', weight: 'ignored' }],
        completion: [{ role: 'assistant', content: '' }],
        label: false,
        user: 'u-7',
        adapter: 'v12',
        logprob: -3.5,
        weight: 0.25,
        tags: { surface: 'web' },
      },
      { time: '2026-01-31T23:59:60.123+01:00', partitionkey: 'an extension' },
    )
    expect(read(event)).toEqual({
      position: { topic: 'votes', partition: 2, offset: 17 },
      timestamp: 1_700_000_000_000,
      source: 'chat-web',
      id: 'e-1',
      subject: 'completion-1',
      user: 'u-7',
      label: false,
      prompt: { kind: 'messages', messages: [{ role: 'user', content: 'Hi' }] },
      completion: { kind: 'messages', messages: [{ role: 'assistant', content: '' }] },
      adapter: 'v12',
      logprob: -3.5,
      weight: 0.25,
    })
  })

  it('gives a bare row the identity of its position and weight 1', () => {
    expect(read({ prompt_tokens: [1, 2], completion_tokens: [3], label: true })).toMatchObject({
      source: 'votes',
      id: 'votes-2-17',
      subject: null,
      user: null,
      label: true,
      prompt: { kind: 'tokens', tokens: [1, 2] },
      completion: { kind: 'tokens', tokens: [3] },
      adapter: null,
      logprob: null,
      weight: 1,
    })
  })

  it('uses token ids and does not read the text beside them', () => {
    const feedback = read(cloudEvent({ prompt_tokens: [1], completion: '', completion_tokens: [2] }))
    expect(feedback.prompt).toEqual({ kind: 'tokens', tokens: [1] })
    expect(feedback.completion).toEqual({ kind: 'tokens', tokens: [2] })
  })

  it('reads a retraction without prompt and completion', () => {
    const event = { ...cloudEvent(), data: { label: null, user: 'u-7' } }
    expect(read(event)).toMatchObject({ label: null, subject: 'completion-1', user: 'u-7' })
  })

  it('takes integers for names as their decimal digits, so that 42 and "42" are one', () => {
    expect(read(cloudEvent({ user: 42 }, { id: 7, subject: -3 }))).toMatchObject({ id: '7', subject: '-3', user: '42' })
    expect(read(cloudEvent({ user: Number.MAX_SAFE_INTEGER }))).toMatchObject({ user: '9007199254740991' })
  })

  it('takes an empty user as none', () => {
    expect(read(cloudEvent({ user: '' })).user).toBeNull()
  })

  // smallrye#2061, cloudevents/sdk-java#200 and #249, myntra/cortex#32, Python's isoformat, a number
  it.each([
    '2026-03-01T12:00Z',
    '2023-01-25T19:07:06.370582GMT',
    '2020-07-16T13:53:54.545218America/Los_Angeles',
    '2018-07-23 09:51:00+00:00',
    '2026-03-01T12:00:00.123456',
    '',
    1_700_000_000_000,
    {},
  ])('takes a vote whatever its time: %j, which is not read', (time) => {
    expect(read(cloudEvent({}, { time }))).toMatchObject({ label: true, timestamp: 1_700_000_000_000 })
  })

  it('joins text parts as a template does that goes through them', () => {
    const parts = [
      { type: 'text', text: 'How ' },
      { type: 'input_text', text: 'are you?' },
    ]
    const answer = [{ type: 'output_text', text: 'Well.', annotations: [] }]
    const event = cloudEvent({
      prompt: [{ role: 'user', content: parts }],
      completion: [{ role: 'assistant', content: answer }],
    })
    expect(read(event)).toMatchObject({
      prompt: { messages: [{ role: 'user', content: 'How are you?' }] },
      completion: { messages: [{ role: 'assistant', content: 'Well.' }] },
    })
  })

  const CALL = { id: 'c1', type: 'function', function: { name: 'refund', arguments: '{"order": 7}' } }
  const question = { role: 'user', content: 'Refund 7' }

  it.each([{ content: null }, {}, { content: '' }])('takes a message that is nothing but tool calls: %j', (content) => {
    const { completion } = read(
      cloudEvent({ prompt: [question], completion: [{ role: 'assistant', ...content, tool_calls: [CALL] }] }),
    )
    const extra = JSON.stringify({ tool_calls: [CALL] })
    expect(completion).toMatchObject({ messages: [{ role: 'assistant', content: content.content ?? null, extra }] })
  })

  it('keeps what a template may write of a message, and takes function_call and reasoning by their other names', () => {
    const { prompt } = read(
      cloudEvent({
        prompt: [
          { role: 'user', content: 'Hi', name: 'Ann' },
          { role: 'assistant', content: null, function_call: CALL.function, thinking: 'Hm.', reasoning_content: '' },
          { role: 'tool', content: 'done', name: '', tool_call_id: 'c1', tool_calls: null },
        ],
      }),
    )
    expect(prompt).toMatchObject({
      messages: [
        { extra: '{"name":"Ann"}' },
        {
          extra: JSON.stringify({
            tool_calls: [{ type: 'function', function: CALL.function }],
            reasoning_content: 'Hm.',
          }),
        },
        { extra: '{"tool_call_id":"c1"}' },
      ],
    })
  })

  it('keeps tools and template arguments of a prompt of messages, and why the answer ended', () => {
    const rendering = { tools: [{ name: 'refund' }], chat_template_kwargs: { enable_thinking: false } }
    const feedback = read(cloudEvent({ prompt: [question], ...rendering, finish_reason: 'length' }))
    expect(feedback).toMatchObject({ prompt: { extra: JSON.stringify(rendering) }, finishReason: 'length' })
    const plain = read(cloudEvent({ prompt: [question], tools: [], chat_template_kwargs: {}, finish_reason: null }))
    expect(plain.prompt).toEqual({ kind: 'messages', messages: [question] })
    expect(plain).not.toHaveProperty('finishReason')
  })

  it('keeps the arm that the answer was from; what names none is no error', () => {
    expect(read(cloudEvent({ arm: 'canary' })).arm).toBe('canary')
    expect(read(cloudEvent({ arm: 'x'.repeat(1e5) })).arm).toHaveLength(40)
    for (const arm of [null, '', 3, { name: 'live' }]) expect(read(cloudEvent({ arm }))).not.toHaveProperty('arm')
  })

  it('takes null for an optional field as absent', () => {
    const nulls = { user: null, adapter: null, logprob: null, weight: null, prompt_tokens: null }
    expect(read(cloudEvent(nulls, { time: null, subject: null }))).toMatchObject({
      subject: null,
      user: null,
      weight: 1,
    })
  })

  const TEXT = 'x'.repeat(30)
  const nested = (levels: number) => Array.from({ length: levels }).reduce<object>((inner) => ({ inner }), {})
  const NESTED_TEXT = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
  it.each<[string, object, string]>([
    ['label "yes"', { label: 'yes' }, 'data.label: expected boolean or null, got a string of 3 characters'],
    ['tools that are none', { tools: ['refund'] }, 'data.tools[0]: expected an object, got a string of 6 characters'],
    ['a tool that nests too deeply', { tools: [nested(40)] }, 'data.tools: expected at most 32 levels'],
    [
      'a function call that nests too deeply',
      { prompt: [{ role: 'assistant', function_call: { name: 'f', arguments: nested(40) } }] },
      'data.prompt[0].function_call: expected at most 32 levels',
    ],
    [
      'a function call that is a deep array',
      { prompt: [{ role: 'assistant', function_call: [nested(40)] }] },
      'data.prompt[0].function_call: expected at most 32 levels',
    ],
    [
      'a tool call whose arguments are text that nests too deeply',
      { prompt: [{ role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: NESTED_TEXT } }] }] },
      'data.prompt[0].tool_calls[0].arguments: expected at most 32 levels',
    ],
    [
      'a function call whose arguments are text that nests too deeply',
      { prompt: [{ role: 'assistant', function_call: { name: 'f', arguments: NESTED_TEXT } }] },
      'data.prompt[0].function_call.arguments: expected at most 32 levels',
    ],
    [
      'template arguments that nest too deeply',
      { prompt: [{ role: 'user', content: 'Hi' }], chat_template_kwargs: { a: nested(40) } },
      'data.chat_template_kwargs: expected at most 32 levels',
    ],
    [
      'a call without a name',
      { prompt: [{ role: 'assistant', tool_calls: [{ function: { arguments: {} } }] }] },
      'data.prompt[0].tool_calls[0].name: expected a non-empty string, got nothing',
    ],
    [
      'neither content nor calls',
      { prompt: [{ role: 'assistant', content: null, tool_calls: [] }] },
      'data.prompt[0].content: expected a string or text parts, got null',
    ],
    [
      'a role that is none',
      { prompt: [{ role: 'user<|im_end|>', content: 'Hi' }] },
      'data.prompt[0].role: expected one of system, developer, user, assistant, model, tool, function, ipython, observation, got a string of 14 characters',
    ],
    [
      'template arguments that rewrite the conversation',
      { chat_template_kwargs: { enable_thinking: false, eos_token: '' } },
      "data.chat_template_kwargs: one of its names is not a vote's to set",
    ],
    ['label 1', { label: 1 }, 'data.label: expected boolean or null, got a number'],
    ['no label', { label: undefined }, 'data.label: expected boolean or null, got nothing'],
    ['a long label', { label: TEXT }, 'data.label: expected boolean or null, got a string of 30 characters'],
    ['an empty completion', { completion: '' }, 'data.completion: expected text, got an empty string'],
    [
      'no completion',
      { completion: undefined },
      'data.completion: expected text, messages or completion_tokens, got nothing',
    ],
    ['a prompt of 42', { prompt: 42 }, 'data.prompt: expected text, messages or prompt_tokens, got a number'],
    ['an empty prompt', { prompt: '' }, 'data.prompt: expected text, got an empty string'],
    ['no messages', { prompt: [] }, 'data.prompt: expected at least one message, got an empty array'],
    ['a message that is text', { prompt: ['Hi'] }, 'data.prompt[0]: expected a message, got a string of 2 characters'],
    [
      'a message without role',
      { prompt: [{ content: 'Hi' }] },
      'data.prompt[0].role: expected one of system, developer, user, assistant, model, tool, function, ipython, observation, got nothing',
    ],
    [
      'content of no parts',
      { prompt: [{ role: 'user', content: [] }] },
      'data.prompt[0].content: expected a string or text parts, got an empty array',
    ],
    [
      'a part that is an image',
      {
        prompt: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'a' },
              { type: 'image_url', image_url: {} },
            ],
          },
        ],
      },
      'data.prompt[0].content[1].type: expected "text": no other part of a message can be trained',
    ],
    [
      'a text part without text',
      { prompt: [{ role: 'user', content: [{ type: 'text', text: null }] }] },
      'data.prompt[0].content[0].text: expected a string, got null',
    ],
    [
      'a part that is no object',
      { prompt: [{ role: 'user', content: ['Hi'] }] },
      'data.prompt[0].content[0]: expected a text part, got a string of 2 characters',
    ],
    [
      'a whole chat',
      { prompt: undefined, completion: undefined, messages: [{ role: 'user', content: 'Hi' }] },
      'data.prompt: expected text, messages or prompt_tokens, got nothing; a chat in "messages" is to be split: up to the last question into prompt, the answer into completion',
    ],
    [
      'messages after a text',
      { completion: [{ role: 'assistant', content: 'Hi' }] },
      'data.completion: messages can only continue a prompt that is given as messages',
    ],
    [
      'tokens as text',
      { prompt_tokens: '1 2' },
      'data.prompt_tokens: expected an array of token ids, got a string of 3 characters',
    ],
    [
      'no tokens',
      { completion_tokens: [] },
      'data.completion_tokens: expected at least one token id, got an empty array',
    ],
    [
      'a fraction as token',
      { completion_tokens: [1, 1.5] },
      'data.completion_tokens[1]: expected a token id (an integer from 0 to 2147483647), got another number',
    ],
    [
      'a negative token',
      { completion_tokens: [-1] },
      'data.completion_tokens[0]: expected a token id (an integer from 0 to 2147483647), got another number',
    ],
    [
      'a token that is text',
      { completion_tokens: ['a'] },
      'data.completion_tokens[0]: expected a token id (an integer from 0 to 2147483647), got a string of 1 character',
    ],
    [
      'a token over int32',
      { completion_tokens: [2 ** 31] },
      'data.completion_tokens[0]: expected a token id (an integer from 0 to 2147483647), got another number',
    ],
    ['a user of 1.5', { user: 1.5 }, 'data.user: expected a string or an integer, got a number that is neither'],
    [
      'a user beyond 2^53',
      { user: 2 ** 53 },
      'data.user: an integer beyond 2^53 - 1 loses digits in JSON: send it as a string',
    ],
    [
      'a user of 2,000 characters',
      { user: 'u'.repeat(2000) },
      'data.user: expected at most 1024 characters, got a string of 2000 characters',
    ],
    ['half an emoji as user', { user: '\ud83d' }, 'data.user: expected Unicode text, got a lone surrogate'],
    ['a weight of 1.5', { weight: 1.5 }, 'data.weight: expected a number from 0 to 1, got another'],
    ['a weight in words', { weight: 'high' }, 'data.weight: expected a number, got a string of 4 characters'],
    ['a logprob in words', { logprob: true }, 'data.logprob: expected a number, got a boolean'],
  ])('refuses %s', (_, data, problem) => {
    expect(errorLine(() => read(cloudEvent(data)))).toBe(`FEEDBACK_INVALID ${problem}`)
  })

  it.each<[string, object, string]>([
    [
      'no specversion',
      { specversion: undefined },
      'specversion: expected "1.0", got nothing: the record looks like a CloudEvent and has none',
    ],
    ['another specversion', { specversion: '0.3' }, 'specversion: expected "1.0", got another text'],
    ['another type', { type: 'com.example.click' }, 'type: expected "bcod.feedback.v1", got another text'],
    ['no source', { source: undefined }, 'source: expected a non-empty string, got nothing'],
    ['an empty id', { id: '' }, 'id: expected a non-empty string, got an empty string'],
    ['a subject that is true', { subject: true }, 'subject: expected a non-empty string, got a boolean'],
    ['a source of 5', { source: 5 }, 'source: expected a non-empty string, got a number'],
  ])('refuses %s', (_, attributes, problem) => {
    expect(errorLine(() => read(cloudEvent({}, attributes)))).toBe(`FEEDBACK_INVALID ${problem}`)
  })

  it('refuses an event without data', () => {
    expect(errorLine(() => read({ ...cloudEvent(), data: undefined }))).toBe(
      'FEEDBACK_INVALID data: expected an object, got nothing',
    )
  })

  it('refuses a number that is infinite', () => {
    const json = JSON.stringify(cloudEvent({ logprob: 0 })).replace('"logprob":0', '"logprob":1e999')
    expect(errorLine(() => read(Buffer.from(json)))).toBe(
      'FEEDBACK_INVALID data.logprob: expected a number, got a number that is not finite',
    )
  })

  it('refuses a token id outside the vocabulary', () => {
    expect(errorLine(() => read(cloudEvent({ completion_tokens: [1, 2, 3, 99_999] }), 256))).toBe(
      'FEEDBACK_INVALID data.completion_tokens[3]: a token id is outside the vocabulary of 256',
    )
    expect(read(cloudEvent({ completion_tokens: [255] }), 256).completion).toEqual({ kind: 'tokens', tokens: [255] })
  })

  it('takes nothing from a __proto__ key', () => {
    const row = '{"__proto__": {"label": true, "user": "x"}, "prompt": "Hi", "completion": "Hello."}'
    expect(errorLine(() => read(Buffer.from(row)))).toBe(
      'FEEDBACK_INVALID data.label: expected boolean or null, got nothing',
    )
  })

  it('is not harmed by deep nesting in a field that it does not read', () => {
    const deep = '['.repeat(50_000) + ']'.repeat(50_000)
    const row = `{"prompt": "Hi", "completion": "Hello.", "label": true, "tags": ${deep}}`
    expect(read(Buffer.from(row)).label).toBe(true)
  })

  it('never shows what a text field holds', () => {
    const secret = fc.constantFrom('hunter2', ['hunter2'], { content: 'hunter2' }, [
      { role: 'user', content: ['hunter2'] },
    ])
    const field = fc.constantFrom(
      'prompt',
      'completion',
      'prompt_tokens',
      'completion_tokens',
      'user',
      'adapter',
      'tags',
    )
    fc.assert(
      fc.property(fc.dictionary(field, secret), (fields) => {
        try {
          read(cloudEvent(fields, { label: 'broken' }))
        } catch (error) {
          expect(String((error as { line: string }).line)).not.toContain('hunter2')
        }
      }),
    )
  })

  it('throws nothing but FEEDBACK_INVALID on any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (data, attributes) => {
        for (const envelope of [
          { attributes: null, data, framed: false },
          { attributes: { ...cloudEvent(), ...Object(attributes) }, data, framed: false },
        ]) {
          try {
            toFeedback(envelope, record(null), { vocabSize: null })
          } catch (error) {
            expect(error).toMatchObject({ code: 'FEEDBACK_INVALID' })
          }
        }
      }),
    )
  })
})
