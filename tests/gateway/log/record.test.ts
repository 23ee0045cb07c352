import { describe, expect, it } from 'vitest'
import { decodeCompletion, encodeCompletion } from '../../../src/gateway/log/record.js'
import { completion } from '../../support/completions.js'

describe('the record of an answer', () => {
  it('is the CloudEvent of the contract', () => {
    const answer = completion({
      ...{ id: 'cmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398f', time: new Date('2022-02-22T19:22:22Z') },
      ...{ promptTokens: [1, 2], completionTokens: [3] },
    })
    expect(JSON.parse(encodeCompletion(answer, 'bcod-gateway').toString())).toEqual({
      ...{ specversion: '1.0', type: 'bcod.completion.v1', source: 'bcod-gateway', time: '2022-02-22T19:22:22.000Z' },
      id: 'cmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
      subject: 'cmpl-017f22e2-79b0-7cc3-98c4-dc0c0c07398f',
      data: {
        ...{ model: 'shop', adapter: 'v00000012', arm: 'live', user: 'a1b2', votable: true, reason: null },
        ...{ prompt: [{ role: 'user', content: 'Where is my order?' }], completion: 'On its way.' },
        ...{ prompt_tokens: [1, 2], completion_tokens: [3], finish_reason: 'stop', usage: { total_tokens: 12 } },
      },
    })
  })

  it('is read back whole', () => {
    const answers = [
      completion(),
      completion({ prompt: 'Once upon', completion: ' a time', adapter: null, arm: null, user: null, usage: null }),
      completion({ tools: [{ type: 'function' }], templateArguments: { enable_thinking: false } }),
      completion({ completion: [{ role: 'assistant', content: null, tool_calls: [{ id: 'x' }] }] }),
      completion({ votable: false, reason: 'cut', prompt: '', completion: '', finishReason: null }),
    ]
    for (const answer of answers) expect(decodeCompletion(encodeCompletion(answer, 's'))).toEqual(answer)
  })

  it.each([
    ['', 'nothing'],
    ['{"type":"bcod.feedback.v1","data":{}}', 'a vote'],
    ['{"type":"bcod.completion.v1","id":"x","time":"2026-01-01","data":{"votable":true}}', 'no prompt'],
    [
      '{"type":"bcod.completion.v1","id":"x","time":"?","data":{"votable":true,"prompt":"","completion":""}}',
      'no time',
    ],
    ['[1]', 'an array'],
  ])('%j is none: %s', (text) => {
    expect(decodeCompletion(Buffer.from(text))).toBeNull()
  })
})
