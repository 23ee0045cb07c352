import { readFileSync } from 'node:fs'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BcodError } from '../../src/errors.js'
import { decodeEnvelope } from '../../src/events/envelope.js'
import { toFeedback } from '../../src/events/feedback.js'
import { feedbackSchema } from '../../src/events/schema.js'
import { runs } from '../support/thorough.js'
import { cloudEvent, record } from './records.js'

const schemaAccepts = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(feedbackSchema)

function bcodAccepts(value: unknown): boolean {
  const source = record(Buffer.from(JSON.stringify(value)))
  try {
    toFeedback(decodeEnvelope(source.value!, source.headers, 2 ** 20), source, { vocabSize: null })
    return true
  } catch (error) {
    if (error instanceof BcodError) return false
    throw error
  }
}

/** Values that are right for some field, and values that are nearly right. */
const oddValue = fc.constantFrom<unknown>(
  null,
  true,
  0,
  1,
  0.5,
  -1,
  1.5,
  2 ** 31,
  '',
  'text',
  '1.0',
  'bcod.feedback.v1',
  '2026-02-29T10:00:00Z',
  '2026-02-30T10:00:00Z',
  '2026-04-31t10:00:00.5-07:30',
  '2026-12-31t23:59:60.5-07:30',
  '\ud800',
  '🙂'.repeat(1024),
  '🙂'.repeat(1025),
  'x'.repeat(1025),
  [],
  {},
  [0, 1, 2],
  [1, -1],
  [1, '2'],
  [{ role: 'user', content: 'Hi' }],
  [{ role: '', content: 'Hi' }],
  [{ role: 'user' }],
  [{ role: 'wizard', content: 'Hi' }],
  [{ role: 'tool', content: 'Hi', name: 'refund', tool_call_id: 'c1', reasoning: '', thinking: 'Hm' }],
  [{ role: 'tool', content: 'Hi', name: 3 }],
  [{ role: 'assistant', content: 'Hi', reasoning_content: 'Hm', reasoning: 2 }],
  [{ role: 'assistant', content: null, tool_calls: [{ function: { name: 'f', arguments: '{}' } }] }],
  [{ role: 'assistant', tool_calls: [{ name: 'f', arguments: {} }] }],
  [{ role: 'assistant', tool_calls: [{ name: 'f', function: { name: '' } }] }],
  [{ role: 'assistant', content: '', tool_calls: [] }],
  [{ role: 'assistant', tool_calls: [], function_call: { name: 'f', arguments: null } }],
  [{ role: 'assistant', content: 'Hi', function_call: { name: 'f', arguments: [] } }],
  { enable_thinking: false },
  { bos_token: 'x' },
  { messages: [] },
  ['user'],
  42,
  2 ** 53,
  [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  [{ role: 'user', content: [{ type: 'image_url' }] }],
  [{ role: 'user', content: [] }],
)
const mutation = (fields: readonly string[]) => fc.dictionary(fc.constantFrom(...fields), oddValue, { maxKeys: 4 })
const dataFields = [
  'prompt',
  'completion',
  'prompt_tokens',
  'completion_tokens',
  'label',
  'user',
  'adapter',
  'logprob',
  'weight',
  'finish_reason',
  'arm',
  'tags',
  'tools',
  'chat_template_kwargs',
]
const attributeFields = ['specversion', 'type', 'source', 'id', 'time', 'subject', 'extra']
const some = (fields: readonly string[]) => fc.subarray([...fields], { maxLength: 1 })

const without = (value: object, keys: readonly string[]) =>
  Object.fromEntries(Object.entries(value).filter(([key]) => !keys.includes(key)))

describe('feedbackSchema', () => {
  it('is what docs/feedback.schema.json holds', () => {
    expect(JSON.parse(readFileSync('docs/feedback.schema.json', 'utf8'))).toEqual(feedbackSchema)
  })

  it('accepts exactly what bcod accepts, for events near the canonical one', () => {
    let accepted = 0
    fc.assert(
      fc.property(
        mutation(dataFields),
        mutation(attributeFields),
        some(dataFields),
        some([...attributeFields, 'data']),
        fc.boolean(),
        (data, attributes, missingData, missingAttributes, bare) => {
          const event = cloudEvent(data, attributes)
          const fields = without(event.data, missingData)
          const value = bare ? fields : without({ ...event, data: fields }, missingAttributes)
          const verdict = bcodAccepts(value)
          accepted += Number(verdict)
          expect(schemaAccepts(value)).toBe(verdict)
        },
      ),
      { numRuns: runs(5_000) },
    )
    expect(accepted).toBeGreaterThan(runs(5_000) / 50)
  })

  it('accepts exactly what bcod accepts, for any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(schemaAccepts(value)).toBe(bcodAccepts(value))
      }),
    )
  })
})
