import { describe, expect, it } from 'vitest'
import type { Content, Feedback } from '../../src/events/types.js'
import { loadTextModel } from '../../src/text/text-model.js'
import { toTrainingEvent } from '../../src/text/training-event.js'
import { errorLine } from '../events/records.js'

const text = loadTextModel('tests/golden/chat')!
const vocabSize = 1000
const tokens = (...ids: number[]): Content => ({ kind: 'tokens', tokens: ids })
const literal = (value: string): Content => ({ kind: 'text', text: value })
const messages = (content: string): Content => ({ kind: 'messages', messages: [{ role: 'user', content }] })

const vote = (prompt: Content, completion: Content): Feedback & { label: boolean } => ({
  position: { topic: 'votes', partition: 0, offset: 3 },
  timestamp: 1_700_000_000_000,
  source: 's',
  id: 'e',
  subject: 'c',
  user: 'u',
  label: false,
  prompt,
  completion,
  adapter: 'v3',
  logprob: -1,
  weight: 0.5,
})

describe('toTrainingEvent', () => {
  it('keeps what the learner needs, with token ids for text', () => {
    const event = toTrainingEvent(vote(literal('plain text prompt: '), literal('Click the link.')), {
      text,
      maxLength: 100,
      vocabSize,
    })
    expect(event).toEqual({
      position: { topic: 'votes', partition: 0, offset: 3 },
      timestamp: 1_700_000_000_000,
      source: 's',
      id: 'e',
      subject: 'c',
      user: 'u',
      label: false,
      weight: 0.5,
      promptTokens: [483, 346, 259, 606, 86, 595, 28, 223],
      completionTokens: [37, 610, 77, 274, 284, 262, 77, 16, 2],
    })
  })

  it('needs no tokenizer for token ids and appends nothing to them', () => {
    const event = toTrainingEvent(vote(tokens(1, 2), tokens(3)), { text: null, maxLength: 100, vocabSize })
    expect(event).toMatchObject({ promptTokens: [1, 2], completionTokens: [3] })
  })

  it('shortens a prompt and keeps the BOS that it was told of, or that of the tokenizer', () => {
    const long = vote(tokens(1, 5, 6, 7), tokens(8))
    expect(toTrainingEvent(long, { text: null, bosId: 1, maxLength: 3, vocabSize })?.promptTokens).toEqual([1, 7])
    expect(toTrainingEvent(long, { text: null, maxLength: 3, vocabSize })?.shortened).toBe(true)
    expect(toTrainingEvent(long, { text: null, maxLength: 5, vocabSize })).not.toHaveProperty('shortened')
    expect(toTrainingEvent(long, { text, maxLength: 3, vocabSize })?.promptTokens).toEqual([1, 7])
    expect(toTrainingEvent(long, { text: null, maxLength: 3, vocabSize })?.promptTokens).toEqual([6, 7])
  })

  it('is null for a completion that alone is too long', () => {
    expect(toTrainingEvent(vote(tokens(1), tokens(3, 4, 5)), { text: null, maxLength: 3, vocabSize })).toBeNull()
  })

  it('refuses text without a tokenizer', () => {
    const line = 'TEXT_WITHOUT_TOKENIZER: text, but the model has no tokenizer'
    const options = { text: null, maxLength: 100, vocabSize }
    expect(errorLine(() => toTrainingEvent(vote(literal('Hi'), tokens(3)), options))).toBe(line)
    expect(errorLine(() => toTrainingEvent(vote(messages('Hi'), literal('x')), options))).toBe(line)
  })

  it('refuses a conversation of far more messages than there are tokens to keep', () => {
    const options = { text, maxLength: 20, vocabSize: 1000 }
    const chat = (count: number): Content => ({
      kind: 'messages',
      messages: Array.from({ length: count }, () => ({ role: 'user', content: '' })),
    })
    expect(toTrainingEvent(vote(chat(80), literal('x')), options)?.promptTokens).toHaveLength(18)
    expect(errorLine(() => toTrainingEvent(vote(chat(81), literal('x')), options))).toBe(
      'FEEDBACK_INVALID data.prompt: expected at most 80 messages, got 81',
    )
  })

  it('refuses ids outside the vocabulary, as the fault of the event or of the tokenizer', () => {
    const options = { text, maxLength: 100, vocabSize: 256 }
    expect(errorLine(() => toTrainingEvent(vote(tokens(1), tokens(1, 2, 3, 99_999)), options))).toBe(
      'FEEDBACK_INVALID data.completion_tokens[3]: a token id is outside the vocabulary of 256',
    )
    expect(errorLine(() => toTrainingEvent(vote(literal('plain text prompt: '), tokens(1)), options))).toBe(
      'TOKENIZE_FAILED data.prompt: a token id is outside the vocabulary of 256',
    )
  })
})
