import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeFeedback, recordOf, STRUCTURED_HEADERS } from '../../src/events/encode.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import type { Content, Feedback } from '../../src/events/types.js'

const text = fc.string({ unit: 'grapheme', minLength: 1 }).map((value) => ({ kind: 'text', text: value }) as const)
const extra = fc.constantFrom('{"name":"Ann"}', '{"tool_calls":[{"name":"f","arguments":{"a":[1]}}]}')
const message = fc.oneof(
  fc.record(
    { role: fc.constantFrom('user', 'assistant'), content: fc.string(), extra },
    { requiredKeys: ['role', 'content'] },
  ),
  fc.constant({
    role: 'assistant',
    content: null,
    extra: '{"tool_calls":[{"function":{"name":"f","arguments":"{}"}}]}',
  }),
)
const messages = fc.array(message, { minLength: 1 }).map((value) => ({ kind: 'messages', messages: value }) as const)
const conversation = fc
  .tuple(messages, fc.option(fc.constant('{"tools":[{"name":"f"}],"chat_template_kwargs":{"enable_thinking":false}}')))
  .map(([value, rendering]) => (rendering === null ? value : { ...value, extra: rendering }))
const tokens = fc
  .array(fc.nat(2 ** 31 - 1), { minLength: 1 })
  .map((value) => ({ kind: 'tokens', tokens: value }) as const)
const sides: fc.Arbitrary<{ prompt: Content; completion: Content }> = fc.oneof(
  fc.record({ prompt: fc.oneof(text, tokens), completion: fc.oneof(text, tokens) }),
  fc.record({ prompt: conversation, completion: fc.oneof(text, messages, tokens) }),
)
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 })
const optionalName = fc.option(name)
const feedback: fc.Arbitrary<Feedback> = fc
  .record({
    position: fc.record({ topic: fc.constant('votes'), partition: fc.nat(9), offset: fc.nat() }),
    timestamp: fc.nat(),
    source: name,
    id: name,
    subject: optionalName,
    user: optionalName,
    label: fc.boolean(),
    adapter: optionalName,
    logprob: fc.option(fc.double({ max: -1e-9, min: -1e9, noNaN: true })),
    weight: fc.double({ min: 0, max: 1, noNaN: true }).map((weight) => weight + 0),
  })
  .chain((rest) => sides.map((both) => ({ ...rest, ...both })))
  .chain((vote) => fc.constantFrom({}, { finishReason: 'length' }).map((reason) => ({ ...vote, ...reason })))
  .chain((vote) => fc.constantFrom({}, { arm: 'canary' }).map((arm) => ({ ...vote, ...arm })))

describe('encodeFeedback', () => {
  it('writes the canonical structured CloudEvent', () => {
    const value = encodeFeedback({
      source: 'chat-web',
      id: 'e-1',
      time: '2026-01-01T00:00:00Z',
      subject: 'c-1',
      user: 'u-1',
      label: true,
      prompt: { kind: 'messages', messages: [{ role: 'user', content: 'Hi' }] },
      completion: { kind: 'tokens', tokens: [3, 4] },
      weight: 0.5,
      tags: { surface: 'web' },
    })
    expect(JSON.parse(Buffer.from(value).toString())).toEqual({
      specversion: '1.0',
      type: 'bcod.feedback.v1',
      source: 'chat-web',
      id: 'e-1',
      time: '2026-01-01T00:00:00Z',
      subject: 'c-1',
      data: {
        prompt: [{ role: 'user', content: 'Hi' }],
        completion_tokens: [3, 4],
        label: true,
        user: 'u-1',
        weight: 0.5,
        tags: { surface: 'web' },
      },
    })
  })

  it('leaves prompt and completion out of a retraction', () => {
    const nothing = { kind: 'tokens', tokens: [] } as const
    const value = encodeFeedback({
      source: 's',
      id: 'e',
      subject: 'c',
      label: null,
      prompt: nothing,
      completion: nothing,
    })
    expect(JSON.parse(Buffer.from(value).toString()).data).toEqual({ label: null })
  })

  it('is undone by decoding and validating', () => {
    fc.assert(
      fc.property(feedback, (vote) => {
        const record = recordOf(vote)
        expect(record.headers).toBe(STRUCTURED_HEADERS)
        expect(record.key).toEqual(vote.subject === null ? null : Buffer.from(vote.subject))
        const envelope = decodeEnvelope(record.value!, record.headers, 2 ** 20)
        expect(toFeedback(envelope, record, { vocabSize: null })).toEqual(vote)
      }),
    )
  })
})
