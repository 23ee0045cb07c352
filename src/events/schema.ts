import { FEEDBACK_TYPE } from './feedback.js'
import { MAX_NAME_LENGTH } from './fields.js'

const optional = (schema: object) => ({ anyOf: [{ type: 'null' }, schema] })
const ref = (name: string) => ({ $ref: `#/$defs/${name}` })
const absent = (key: string) => ({ properties: { [key]: { type: 'null' } } })

const tokenIds = { type: 'array', minItems: 1, items: { type: 'integer', minimum: 0, maximum: 2 ** 31 - 1 } }

const textPart = {
  type: 'object',
  required: ['type', 'text'],
  properties: { type: { enum: ['text', 'input_text', 'output_text'] }, text: { type: 'string' } },
}

const message = {
  type: 'object',
  required: ['role', 'content'],
  properties: {
    role: { type: 'string', minLength: 1 },
    content: { anyOf: [{ type: 'string' }, { type: 'array', minItems: 1, items: textPart }] },
  },
}

const text = { type: 'string', minLength: 1 }
const messages = { type: 'array', minItems: 1, items: message }

/** Exact ids, beside which the text is not read; else text, or messages. */
const side = (name: string) => ({
  anyOf: [
    { required: [`${name}_tokens`], properties: { [`${name}_tokens`]: tokenIds } },
    { allOf: [absent(`${name}_tokens`), { required: [name], properties: { [name]: { anyOf: [text, messages] } } }] },
  ],
})

/** Messages as a completion continue messages. */
const continuation = {
  anyOf: [
    { required: ['completion_tokens'], properties: { completion_tokens: { type: 'array' } } },
    { properties: { completion: { type: 'string' } } },
    { allOf: [absent('prompt_tokens'), { properties: { prompt: { type: 'array' } } }] },
  ],
}

/**
 * What the value of a record may be, as JSON Schema (draft 2020-12), for publishers to check against: a structured
 * CloudEvent or a bare row. bcod itself checks by hand (`toFeedback`), which is faster and says more; that the two
 * agree is tested. Not in it: token ids must be below the model's vocabulary.
 */
export const feedbackSchema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: FEEDBACK_TYPE,
  type: 'object',
  anyOf: [
    ref('cloudEvent'),
    { allOf: [{ not: { required: ['specversion'] } }, { not: { required: ['data'] } }, ref('data')] },
  ],
  $defs: {
    name: { type: 'string', minLength: 1, maxLength: MAX_NAME_LENGTH, pattern: '^\\P{Surrogate}*$' },
    id: {
      anyOf: [ref('name'), { type: 'integer', minimum: Number.MIN_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER }],
    },
    cloudEvent: {
      required: ['specversion', 'type', 'source', 'id', 'data'],
      properties: {
        specversion: { const: '1.0' },
        type: { const: FEEDBACK_TYPE },
        source: ref('name'),
        id: ref('id'),
        time: { description: 'RFC 3339, or any other form: it is not read from a topic.' },
        subject: optional(ref('id')),
        data: ref('data'),
      },
    },
    data: {
      type: 'object',
      required: ['label'],
      properties: {
        label: { type: ['boolean', 'null'] },
        user: optional({ anyOf: [ref('id'), { const: '' }] }),
        adapter: optional(ref('name')),
        logprob: optional({ type: 'number' }),
        weight: optional({ type: 'number', minimum: 0, maximum: 1 }),
      },
      anyOf: [
        { properties: { label: { type: 'null' } } },
        { allOf: [side('prompt'), side('completion'), continuation] },
      ],
    },
  },
} as const
